import type { TokenGrant } from '@mayfly/contracts/events';
import { expect, test } from 'vitest';
import { grantEnvironment } from './environment.ts';

const VARIABLES = { request_url: ['ACME_URL'], request_token: ['ACME_KEY'], token: ['ACME_ID_TOKEN'] };

const grant = (data: Partial<TokenGrant['data']>) =>
  ({
    data: {
      id_tokens: { VAULT: 'a.b.c' },
      id_token_request_url: 'https://id',
      id_token_request_token: 'mfr',
      ...data,
    },
  }) as TokenGrant;

test('a runner finds its tokens and the way to more under the names of its profile, and under ours', () => {
  expect(grantEnvironment(grant({ variables: VARIABLES }))).toEqual({
    ...{ VAULT: 'a.b.c', ACME_ID_TOKEN: 'a.b.c' },
    ...{ ACME_URL: 'https://id', MAYFLY_ID_TOKEN_REQUEST_URL: 'https://id' },
    ...{ ACME_KEY: 'mfr', MAYFLY_ID_TOKEN_REQUEST_TOKEN: 'mfr' },
  });
});

test('of several declared tokens none has the name that the profile has for the one', () => {
  const id_token_errors = { OTHER: { error: 'invalid_target', error_description: '' } };

  const environment = grantEnvironment(grant({ variables: VARIABLES, id_token_errors }));

  expect(environment).not.toHaveProperty('ACME_ID_TOKEN');
});

test('a grant that names no variables is given under our names alone', () => {
  expect(Object.keys(grantEnvironment(grant({})))).toEqual([
    'MAYFLY_ID_TOKEN_REQUEST_URL',
    'MAYFLY_ID_TOKEN_REQUEST_TOKEN',
    'VAULT',
  ]);
});
