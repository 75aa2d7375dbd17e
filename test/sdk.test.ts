import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { issuerUrl } from '@mayfly/contracts/issuer-url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Ci, connectCi } from './ci.ts';
import { grantedEnvironment, runMayfly, script, verified } from './exec-mayfly.ts';
import { testCertificate } from './sdk-certificate.ts';
import { AWS, azure, fulcio, GOOGLE } from './sdk-clouds.ts';
import { type Cloud, type StandIn, startStandIn } from './sdk-stand-in.ts';
import { type TestSystem, testSystem } from './system.ts';

const tls = testCertificate();
const CLOUDS = { aws: AWS, google: GOOGLE, azure: azure(tls), sigstore: fulcio(tls) };
const audiences = Object.values(CLOUDS).map(({ audience }) => JSON.stringify(audience));
/** So short that the file is refreshed while a test waits. */
const POLICY = `sources: { acme: { audiences: [https://api.example.com, ${audiences}], lifetime: 10s } }`;
const STEP = fileURLToPath(new URL('sdk-step.ts', import.meta.url));
/** A refresh that came at a moment at which nobody could know is tried again, which is said. */
const PUT_OFF = /^.* could not be refreshed: .*\n/gm;
const PROVIDER = GOOGLE.audience.replace('https://iam.googleapis.com/', '');

let system: TestSystem;
let ci: Ci;
let place: string;
beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), 'mayfly-sdk-test-'));
  writeFileSync(join(place, 'ca.pem'), tls.cert);
  system = await testSystem({ policy: POLICY });
  ci = await connectCi(system);
});
afterAll(async () => {
  await ci[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
  rmSync(place, { recursive: true, force: true });
});

type Run = {
  cloud: Cloud;
  step: string;
  options?(url: string): string[];
  env?(url: string): Record<string, string>;
};

/** Runs a step with an SDK in it, in a build of its own; gives what the stand-in was shown. */
async function runStep({ cloud, step, options = () => [], env = () => ({}) }: Run) {
  await using standIn: StandIn = await startStandIn(cloud, issuerUrl(system.baseUrl, 'acme'));
  await ci.start({ id: step, idTokens: { DECLARED: { aud: cloud.audience } } });
  const environment = { ...grantedEnvironment(await ci.heard(step)), ...env(standIn.url) };
  const args = ['exec', ...options(standIn.url), '--', process.execPath, STEP, step];
  const { code, stdout, stderr } = await runMayfly(args, { env: environment });
  expect({ code, stderr: stderr.replace(PUT_OFF, '') }).toEqual({ code: 0, stderr: '' });
  expect(standIn.shown.every(({ aud }) => aud === cloud.audience)).toBe(true);
  return { stdout, tokens: new Set(standIn.shown.map(({ jti }) => jti)).size };
}

const aws = {
  cloud: CLOUDS.aws,
  options: () => ['--aws-role', 'arn:aws:iam::123456789012:role/deploy'],
  env: (url: string) => ({ AWS_ENDPOINT_URL_STS: url, AWS_REGION: 'us-east-1' }),
};
const google = (...more: string[]) => ({
  cloud: CLOUDS.google,
  options: (url: string) => ['--google-provider', PROVIDER, '--google-token-url', `${url}/v1/token`, ...more],
  env: () => ({ GOOGLE_CLOUD_PROJECT: 'stand-in' }),
});

test.concurrent('the token at $NAME_FILE is replaced by another that verifies against the key set, and is gone afterwards', async () => {
  await ci.start({ id: 'refreshed' });
  const grant = await ci.heard('refreshed');
  const seen = join(place, 'seen');
  const code = `
    const fs = require('fs'), { API_TOKEN: first, API_TOKEN_FILE: file } = process.env
    const timer = setInterval(() => {
      const next = fs.readFileSync(file, 'utf8')
      if (next === first) return
      clearInterval(timer)
      fs.writeFileSync(process.argv[1], JSON.stringify({ file, first, next }))
      console.log('first ' + first + ', next ' + next)
    }, 20)`;

  const result = await runMayfly(['exec', '--grant', '-', ...script(code), seen], {
    input: JSON.stringify(grant),
  });

  expect(result).toMatchObject({ code: 0, stdout: 'first ***, next ***\n' });
  expect(result.stderr.replace(PUT_OFF, '')).toBe('');
  const { file, first, next } = JSON.parse(readFileSync(seen, 'utf8'));
  const [one, other] = [await verified(system, first), await verified(system, next)];
  expect(other.sub).toBe(one.sub);
  expect(other.jti).not.toBe(one.jti);
  expect(other.iat).toBeGreaterThan(one.iat as number);
  expect(() => readFileSync(file)).toThrow(/ENOENT/);
});

test.concurrent.each<[string, Run]>([
  ["AWS's SDK, by fromTokenFile", { step: 'aws-file', ...aws }],
  ["AWS's SDK, by its default chain", { step: 'aws-chain', ...aws }],
  ["Google's SDK, from a file", { step: 'google-file', ...google() }],
  [
    "Azure's SDK",
    {
      step: 'azure',
      cloud: CLOUDS.azure,
      options: () => ['--azure'],
      env: (url) => ({
        AZURE_AUTHORITY_HOST: url,
        AZURE_CLIENT_ID: 'client',
        AZURE_TENANT_ID: 'tenant',
        NODE_EXTRA_CA_CERTS: join(place, 'ca.pem'),
      }),
    },
  ],
  ["Google's SDK, by running mayfly", { step: 'google-executable', ...google('--google-executable') }],
])('%s shows a token that verifies by discovery, and after a refresh the next one', async (_, run) => {
  const { stdout, tokens } = await runStep(run);

  expect(stdout).toBe('done\n');
  expect(tokens).toBe(2);
});

test.concurrent("@actions/core gets a token by GitHub's variables, which verifies and is masked before it is printed", async () => {
  const env = (url: string) => ({ STAND_IN_URL: url });

  const { stdout, tokens } = await runStep({ step: 'actions', cloud: CLOUDS.aws, env });

  expect(stdout).toMatch(/\n::add-mask::\*\*\*\ntoken \*\*\*\ndone\n$/);
  expect(tokens).toBe(1);
});

test.concurrent("Sigstore's signer finds its token by GitHub's variables, and Fulcio takes it", async () => {
  const env = (url: string) => ({ STAND_IN_URL: url });

  const { stdout, tokens } = await runStep({ step: 'sigstore', cloud: CLOUDS.sigstore, env });

  expect(stdout).toBe('done\n');
  expect(tokens).toBe(1);
});
