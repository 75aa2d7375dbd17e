import Type from 'typebox';

/** A source of builds, as it stands in event names, issuer URLs and Redis keys. */
export const SourceName = Type.String({
  pattern: '^[a-z0-9][a-z0-9-]{0,31}$',
  description: 'Name of a CI system in mayfly.yaml: lower case letters, digits and hyphens, at most 32.',
});

/** The id that a CI system gives a build: stable, unique within its source, and safe in a URL path segment. */
export const BuildId = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9._~:@+=#/-]{0,127}$',
  description: 'The id of the build in its CI system; unique within the source, at most 128 characters.',
});

/** The last part of the event name on which a grant is published: chosen by the CI, never a whole event name. */
export const ReplyName = Type.String({
  pattern: '^[A-Za-z0-9_-]{1,64}$',
  description: 'Tokens are published on tokens.<source>.<reply>.',
});

/** The name of an environment variable that receives a token. */
export const VariableName = Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_]{0,127}$' });
