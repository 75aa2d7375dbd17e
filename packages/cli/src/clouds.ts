import { CommandError } from './exit-codes.ts';
import type { Environment } from './grant.ts';

/** What one cloud's SDK needs: a token for an audience in a file, and variables (and files) that point to it. */
export type Cloud = {
  name: string;
  /** Undefined where the SDK runs a command for its token instead of reading a file. */
  audience: string | undefined;
  /** For how long the SDK goes on with what it has read of the file. */
  heldSeconds?: number;
  /** Takes the path of the token file, and what writes another file; gives the variables. */
  variables(tokenFile: string, write: (name: string, content: string) => string): Record<string, string>;
};

/** The options that choose clouds; each may come from the environment instead. */
export type CloudOptions = {
  'aws-audience'?: string | undefined;
  'aws-role'?: string | undefined;
  'aws-session-name'?: string | undefined;
  'google-provider'?: string | undefined;
  'google-audience'?: string | undefined;
  'google-service-account'?: string | undefined;
  'google-token-url'?: string | undefined;
  'google-executable'?: boolean | undefined;
  'azure-audience'?: string | undefined;
  azure?: boolean | undefined;
};

type Setting = { options: CloudOptions; env: Environment; buildId: string; tokenCommand: string[] };

/** Gives the clouds that the options or the environment ask for. */
export function chosenClouds(setting: Setting): Cloud[] {
  return [aws(setting), google(setting), azure(setting)].filter((cloud) => cloud !== undefined);
}

function aws({ options, env, buildId }: Setting): Cloud | undefined {
  const chosen = options['aws-audience'] ?? env['MAYFLY_AWS_AUDIENCE'];
  if (!chosen && !options['aws-role']) return undefined;
  const role = options['aws-role'] ?? env['AWS_ROLE_ARN'];
  if (!role) {
    throw new CommandError('configuration', 'no AWS role: set AWS_ROLE_ARN or pass --aws-role');
  }
  const session = options['aws-session-name'] ?? env['AWS_ROLE_SESSION_NAME'] ?? `mayfly-${buildId}`;
  return {
    name: 'aws',
    audience: chosen ?? 'sts.amazonaws.com',
    variables: (tokenFile) => ({
      AWS_WEB_IDENTITY_TOKEN_FILE: tokenFile,
      AWS_ROLE_ARN: role,
      AWS_ROLE_SESSION_NAME: session.replace(/[^\w+=,.@-]/g, '-').slice(0, 64),
    }),
  };
}

function google({ options, env, tokenCommand }: Setting): Cloud | undefined {
  const named = options['google-provider'] ?? env['MAYFLY_GOOGLE_PROVIDER'];
  if (!named) return undefined;
  const provider = named.replace(/^(https:)?\/\/iam\.googleapis\.com\//, '').replace(/^\//, '');
  const audience =
    options['google-audience'] ?? env['MAYFLY_GOOGLE_AUDIENCE'] ?? `https://iam.googleapis.com/${provider}`;
  const account = options['google-service-account'] ?? env['MAYFLY_GOOGLE_SERVICE_ACCOUNT'];
  const isRun = options['google-executable'] === true;
  const command = [...tokenCommand, 'token', '--format', 'gcp', '--audience', audience];
  return {
    name: 'google',
    audience: isRun ? undefined : audience,
    variables(tokenFile, write) {
      const credentials = {
        universe_domain: 'googleapis.com',
        type: 'external_account',
        audience: `//iam.googleapis.com/${provider}`,
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
        token_url: options['google-token-url'] ?? 'https://sts.googleapis.com/v1/token',
        ...(account && { service_account_impersonation_url: impersonationUrl(account) }),
        credential_source: isRun
          ? { executable: { command: command.map(quoted).join(' '), timeout_millis: 30_000 } }
          : { file: tokenFile, format: { type: 'text' } },
      };
      return {
        GOOGLE_APPLICATION_CREDENTIALS: write('google-credentials.json', JSON.stringify(credentials)),
        ...(isRun ? { GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES: '1' } : {}),
      };
    },
  };
}

function impersonationUrl(account: string): string {
  const name = encodeURIComponent(account).replace('%40', '@');
  return `https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/${name}:generateAccessToken`;
}

function quoted(word: string): string {
  return /[\s"]/.test(word) ? `"${word}"` : word;
}

function azure({ options, env }: Setting): Cloud | undefined {
  const chosen = options['azure-audience'] ?? env['MAYFLY_AZURE_AUDIENCE'];
  if (!chosen && options.azure !== true) return undefined;
  return {
    name: 'azure',
    audience: chosen ?? 'api://AzureADTokenExchange',
    heldSeconds: 300,
    variables: (tokenFile) => ({ AZURE_FEDERATED_TOKEN_FILE: tokenFile }),
  };
}
