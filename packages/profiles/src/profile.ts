import type { ClaimType } from './profile-file.ts';
import type { Template } from './template.ts';

/** How one claim is made. A name that ends in `*` stands for a claim of each member of a map. */
export type ClaimRule = {
  name: string;
  source:
    | { kind: 'facts'; paths: readonly string[] }
    | { kind: 'member'; map: string; member: string }
    | { kind: 'members'; members: readonly (readonly [string, string])[] }
    | { kind: 'template'; template: Template }
    | { kind: 'value'; value: string };
  type: ClaimType;
  required: boolean;
  /** What stands in the token where the build does not say; undefined leaves the claim out. */
  absent?: unknown;
};

/** One test of a fact: whether it is there, or which values it may have. */
export type Condition = readonly (readonly [string, 'present' | 'absent' | readonly string[]])[];

/** One text that a subject may have: components that the separator joins, each of pieces. */
export type SubjectForm = {
  when: Condition;
  components: readonly SubjectComponent[];
};
export type SubjectComponent = {
  pieces: Template[number];
  /** Characters that are escaped in this component's values, beside `%` and the separator. */
  reserved: string;
};

/** A profile, checked and ready: everything by which the tokens of one CI system differ from those of another. */
export type Profile = Readonly<{
  name: string;
  subject: Readonly<{
    separator: string;
    strict: boolean;
    maxBytes: number;
    default: string;
    requestable: readonly string[];
    alternates: ReadonlyMap<string, readonly SubjectForm[]>;
  }>;
  audience: Readonly<{
    form: 'string' | 'array' | 'asked';
    several: boolean;
    default?: Template;
  }>;
  /** Seconds that `nbf` lies before `iat`; undefined where the system has none, and the allowed skew is used. */
  notBeforeSeconds?: number;
  claims: readonly ClaimRule[];
  optionalClaims: readonly ClaimRule[];
  /** Whether a build may ask for AWS session tags. */
  sessionTags: boolean;
  /** The claim by which a relying party can tell a fork's build; without one, forks cannot be allowed. */
  forkClaim?: string;
  /** Environment variables of a runner. */
  variables: Readonly<{
    requestUrl: readonly string[];
    requestToken: readonly string[];
    token: readonly string[];
  }>;
  /** Fields of the reply to a request for a token that hold the token. */
  reply: readonly string[];
}>;
