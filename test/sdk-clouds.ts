import type { Cloud } from './sdk-stand-in.ts';

type Tls = { key: string; cert: string };

const json = (body: object) => ({ type: 'application/json', body: JSON.stringify(body) });
const field = (name: string) => (body: string) => new URLSearchParams(body).get(name) ?? undefined;

/** AWS STS: AssumeRoleWithWebIdentity. */
export const AWS: Cloud = {
  name: 'AWS STS',
  audience: 'sts.amazonaws.com',
  tokenIn: field('WebIdentityToken'),
  answer(body) {
    const session = field('RoleSessionName')(body);
    return {
      type: 'text/xml',
      body: `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <AssumedRoleUser>
      <Arn>${field('RoleArn')(body)}/${session}</Arn><AssumedRoleId>AROA:${session}</AssumedRoleId>
    </AssumedRoleUser>
    <Credentials>
      <AccessKeyId>ASIASTANDIN</AccessKeyId><SecretAccessKey>stand-in</SecretAccessKey>
      <SessionToken>stand-in</SessionToken>
      <Expiration>${new Date(Date.now() + 900_000).toISOString()}</Expiration>
    </Credentials>
  </AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>`,
    };
  },
};

/** Google Cloud: the token exchange of workload identity federation. */
export const GOOGLE: Cloud = {
  name: 'Google STS',
  audience: 'https://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q',
  tokenIn: field('subject_token'),
  answer: () =>
    json({
      access_token: 'stand-in',
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'Bearer',
      // Within the five minutes before its end in which the SDK asks again.
      expires_in: 60,
    }),
};

/** Azure: the token endpoint of a tenant, with a client assertion. */
export function azure(tls: Tls): Cloud {
  return {
    name: 'Azure',
    audience: 'api://AzureADTokenExchange',
    tls,
    before(path, url) {
      if (!path.includes('/.well-known/openid-configuration')) return undefined;
      return {
        issuer: `${url}/tenant/v2.0`,
        authorization_endpoint: `${url}/tenant/oauth2/v2.0/authorize`,
        token_endpoint: `${url}/tenant/oauth2/v2.0/token`,
        jwks_uri: `${url}/tenant/discovery/v2.0/keys`,
      };
    },
    tokenIn: field('client_assertion'),
    answer: () => json({ token_type: 'Bearer', access_token: 'stand-in', expires_in: 60 }),
  };
}

/** Sigstore's Fulcio: a certificate for whom an ID token names. */
export function fulcio({ cert }: Tls): Cloud {
  return {
    name: 'Fulcio',
    audience: 'sigstore',
    tokenIn: (body) => (JSON.parse(body) as FulcioRequest).credentials?.oidcIdentityToken,
    answer: () => json({ signedCertificateEmbeddedSct: { chain: { certificates: [cert] } } }),
  };
}

type FulcioRequest = { credentials?: { oidcIdentityToken?: string } };
