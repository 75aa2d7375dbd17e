import Type, { type TSchema } from 'typebox';
import { ERRORS, type ErrorCode } from './errors.ts';

/** How a caller proves who it is. */
export type Proof = 'request token' | 'source' | 'relying party';

type RouteAnswer = {
  status: number;
  description: string;
  /** Its schema, by media type. */
  content?: Readonly<Record<string, TSchema>>;
};

/** One address of a service, for its OpenAPI document. */
export type Route = {
  methods: readonly ('get' | 'post' | 'put' | 'patch' | 'delete')[];
  /** With `{name}` for what differs. */
  path: string;
  summary: string;
  proof?: Proof;
  query?: Readonly<Record<string, TSchema>>;
  /** By media type. */
  body?: Readonly<Record<string, TSchema>>;
  /** The answer where all is well. */
  answer: RouteAnswer;
  /** What is said in its place without being a failure. */
  otherwise?: RouteAnswer;
  /** Left out where nothing of ours can fail. */
  errors?: readonly ErrorCode[];
};

/** Every failure, to every HTTP caller (RFC 6749 §5.2). */
export const Failure = Type.Object(
  {
    error: Type.Enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]),
    error_description: Type.String({ description: 'For people; for a refusal, what is allowed.' }),
  },
  { title: 'Failure' },
);

/** A number of seconds since 1970. */
export const Seconds = (description: string) =>
  Type.Integer({ minimum: 0, description: `${description}, s since 1970.` });
