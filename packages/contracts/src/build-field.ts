import Type, { type TSchema } from 'typebox';

type Trust = 'trusted' | 'user-controlled';
type Text = (description: string, example: string, maxLength?: number) => ReturnType<typeof text>;

/** Text without control characters, marked with who decides its value. */
function text(trust: Trust, description: string, example: string, maxLength = 1024) {
  const pattern = '^[^\\u0000-\\u001f\\u007f]*$';
  return Type.Optional(
    Type.String({ maxLength, pattern, description, examples: [example], 'x-trust': trust }),
  );
}

/** Text that the CI system itself decides. */
export const fact: Text = (...rest) => text('trusted', ...rest);
/** Text that whoever can push, name or configure something decides. */
export const free: Text = (...rest) => text('user-controlled', ...rest);
/** An id that is never given to another. */
export const id = (what: string, example = '4711') => fact(`Immutable id of the ${what}.`, example, 128);

/** A yes or no. */
export function flag(description: string, trust: Trust = 'trusted') {
  return Type.Optional(Type.Boolean({ description, examples: [true], 'x-trust': trust }));
}

/** A whole number, decided by the CI system. */
export function whole(
  description: string,
  example: number,
  minimum: number,
  maximum = Number.MAX_SAFE_INTEGER,
) {
  const marks = { examples: [example], 'x-trust': 'trusted' };
  return Type.Optional(Type.Integer({ minimum, maximum, description, ...marks }));
}

/** Fields that belong together; its example is made of theirs. */
export function group<P extends Record<string, TSchema>>(description: string, properties: P) {
  const members = Object.entries(properties).map(
    ([name, { examples }]: [string, { examples?: unknown[] }]) => [name, examples?.[0]],
  );
  const examples = [Object.fromEntries(members)];
  return Type.Object(properties, {
    additionalProperties: false,
    description,
    examples,
    'x-trust': 'trusted',
  });
}

/** What a build may leave out. */
export const within = <T extends TSchema>(schema: T) => Type.Optional(schema);

/** A map of names to text, with what one member of it is. */
export function texts(description: string, member: string, trust: Trust, example: Record<string, string>) {
  const marks = { description, examples: [example], 'x-trust': trust };
  const key = Type.String({ pattern: '^[A-Za-z0-9_./:-]{1,128}$' });
  const value = Type.String({
    ...{ maxLength: 1024, pattern: '^[^\\u0000]*$', description: member },
    ...{ examples: Object.values(example), 'x-trust': trust },
  });
  return Type.Optional(Type.Record(key, value, { maxProperties: 64, additionalProperties: false, ...marks }));
}

/** A list, decided by the CI system. */
export function list<T extends TSchema>(
  description: string,
  items: T,
  maxItems: number,
  examples: unknown[],
) {
  return Type.Optional(Type.Array(items, { maxItems, description, examples, 'x-trust': 'trusted' }));
}
