import { isMap } from './interpolate-yaml.ts';
import type { Issuer } from './issuer.ts';
import { type VarSource, wrong } from './var-source.ts';
import { checkAlgorithm, readIdToken } from './var-source-idtoken.ts';
import { lookupPaths, type Whose } from './var-source-lookup.ts';
import { findSecret, readVault } from './var-source-vault.ts';
import { loginToVault, type VaultLogin, type VaultSession } from './vault.ts';

/** What using a source needs; the issuer is only opened where a source needs it. */
export type Using = {
  whose: Whose;
  /** The token that its CI gave the build already, where it did. */
  buildToken: string | undefined;
  issuer(): Promise<Issuer>;
  place: Pick<VaultLogin, 'timeoutMs' | 'signal'>;
  warn(line: string): void;
  /** Has a token or a secret masked, before anything else is done with it. */
  mask(secret: string): Promise<void>;
  resources: AsyncDisposableStack;
  /** The logins so far, by source. */
  sessions: Map<string, VaultSession>;
};

/** The variable by which a pipeline names the build's own token. */
export const BUILD_TOKEN = '.CONCOURSE_CI_JWT';

/** Reads one variable of a source. */
export async function readVariable(source: VarSource, path: string, using: Using): Promise<unknown> {
  if (source.type === 'idtoken') return await issueToken(source, path, using);
  // Before the login: what is wrong with the file is no business of the Vault's.
  const paths = lookupPaths(source, path, using.whose);
  const session = using.sessions.get(source.name) ?? (await login(source, using));
  using.sessions.set(source.name, session);
  return await findSecret(session, source.name, path, paths);
}

async function issueToken(source: VarSource, path: string, { issuer }: Using): Promise<string> {
  const { name } = source;
  if (path !== 'token') throw wrong(`the var_source ${name} has a token and nothing else: ((${name}:token))`);
  const { request, algorithm } = readIdToken(source);
  const { token } = await (await issuer()).issue(request);
  checkAlgorithm(token, algorithm, name);
  return token;
}

async function login(source: VarSource, using: Using): Promise<VaultSession> {
  const { jwt, audience, ...address } = readVault(source);
  const isOwn = jwt === undefined || jwt === `((${BUILD_TOKEN}))`;
  const shown = isOwn ? await buildToken(audience, using) : jwt;
  const session = using.resources.use(
    await loginToVault({ ...address, ...using.place, jwt: shown }, using.warn),
  );
  await using.mask(session.token);
  return session;
}

/** What its CI gave the build where it did, else a token for the Vault. */
async function buildToken(audience: string, { buildToken: given, issuer, mask }: Using): Promise<string> {
  const token = given ?? (await (await issuer()).issue({ audiences: [audience] })).token;
  await mask(token);
  return token;
}

/** Takes data; gives it with every text in it changed, one after the other: sources that name each other would wait for ever. */
export async function mapTexts(value: unknown, change: (text: string) => Promise<unknown>): Promise<unknown> {
  if (typeof value === 'string') return await change(value);
  if (Array.isArray(value)) return Object.values((await mapTexts({ ...value }, change)) as object);
  if (!isMap(value)) return value;
  const changed: Record<string, unknown> = {};
  for (const [key, one] of Object.entries(value)) changed[key] = await mapTexts(one, change);
  return changed;
}
