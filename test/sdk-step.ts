import { readFileSync } from 'node:fs';

/**
 * What a build's step does with a cloud's own SDK, run inside `mayfly exec`: it shows its token, waits until the file of
 * the token has changed, and shows the next one. Its argument says which SDK.
 */
const STEPS: Record<string, () => Promise<(() => Promise<unknown>)[]>> = {
  async 'aws-file'() {
    const { fromTokenFile } = await import('@aws-sdk/credential-providers');
    const provider = fromTokenFile({ clientConfig: { region: 'us-east-1' } });
    return [provider, () => changed('AWS_WEB_IDENTITY_TOKEN_FILE'), provider];
  },
  async 'aws-chain'() {
    const { fromNodeProviderChain } = await import('@aws-sdk/credential-providers');
    const provide = () => fromNodeProviderChain({ clientConfig: { region: 'us-east-1' } })();
    return [provide, () => changed('AWS_WEB_IDENTITY_TOKEN_FILE'), provide];
  },
  async 'google-file'() {
    const { GoogleAuth } = await import('google-auth-library');
    const client = await new GoogleAuth({ scopes: SCOPES }).getClient();
    const { credential_source } = JSON.parse(readFileSync(env('GOOGLE_APPLICATION_CREDENTIALS'), 'utf8'));
    const show = () => client.getAccessToken();
    return [show, () => changedFile(credential_source.file), show];
  },
  async 'google-executable'() {
    const { GoogleAuth } = await import('google-auth-library');
    const client = await new GoogleAuth({ scopes: SCOPES }).getClient();
    const show = () => client.getAccessToken();
    return [show, show];
  },
  async azure() {
    const { WorkloadIdentityCredential } = await import('@azure/identity');
    const authorityHost = env('AZURE_AUTHORITY_HOST');
    const credential = new WorkloadIdentityCredential({ authorityHost, disableInstanceDiscovery: true });
    const show = () => credential.getToken('https://management.azure.com/.default');
    return [show, () => changed('AZURE_FEDERATED_TOKEN_FILE'), async () => later(FIVE_MINUTES_MS), show];
  },
  async actions() {
    const { getIDToken } = await import('@actions/core');
    return [async () => show(await getIDToken('sts.amazonaws.com'))];
  },
  async sigstore() {
    const { CIContextProvider, FulcioSigner } = await import('@sigstore/sign');
    const identityProvider = new CIContextProvider('sigstore');
    const signer = new FulcioSigner({ fulcioBaseURL: env('STAND_IN_URL'), identityProvider });
    return [() => signer.sign(Buffer.from('an artifact'))];
  },
};

const SCOPES = 'https://www.googleapis.com/auth/cloud-platform';
/** So long Azure's SDK keeps what it has read of the file. */
const FIVE_MINUTES_MS = 300_000;

for (const act of await (STEPS[process.argv[2] ?? ''] ?? unknown)()) await act();
console.log('done');

function env(name: string): string {
  return process.env[name] ?? '';
}

async function changed(name: string): Promise<void> {
  await changedFile(env(name));
}

async function changedFile(path: string): Promise<void> {
  const before = readFileSync(path, 'utf8');
  const deadline = Date.now() + 30_000;
  while (readFileSync(path, 'utf8') === before) {
    if (Date.now() > deadline) throw new Error('the file stayed as it was');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function later(ms: number): void {
  const now = Date.now;
  Date.now = () => now() + ms;
}

/** As an action shows it to AWS; and in the output, where it is to be masked. */
async function show(token: string): Promise<void> {
  console.log(`token ${token}`);
  const body = new URLSearchParams({ WebIdentityToken: token });
  const answer = await fetch(env('STAND_IN_URL'), { method: 'POST', body });
  if (!answer.ok) throw new Error('the token was not taken');
}

async function unknown(): Promise<never> {
  throw new Error('no such step');
}
