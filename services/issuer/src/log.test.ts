import { ServiceError } from '@mayfly/contracts/errors';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { issueLog } from './log.ts';

const BUILD = { source: 'acme', id: '42', attempt: 1 };

test('a refusal by policy is told with its reason and counted, and of what a request was made of nothing is told', async () => {
  const said: object[] = [];
  const metrics = new Registry();
  const log = issueLog({ warn: (fields: object) => said.push(fields) } as unknown as Logger, metrics);

  log.refused(BUILD, new ServiceError('invalid_target', 'audience is not allowed; allowed: a'));
  log.refused(BUILD, new ServiceError('invalid_request', 'eyJhbGciOi cannot be asked for'));
  log.refused(BUILD, new ServiceError('temporarily_unavailable', 'not now'));
  log.refused(BUILD, new Error('a fault of ours'));

  const fields = { source: 'acme', buildId: '42', attempt: 1 };
  expect(said).toEqual([
    { ...fields, code: 'invalid_target', reason: 'audience is not allowed; allowed: a' },
    { ...fields, code: 'invalid_request' },
  ]);
  const counted = await metrics.getSingleMetricAsString('mayfly_tokens_refused_total');
  expect(counted).toContain('code="invalid_target"} 1');
  expect(counted).toContain('code="invalid_request"} 1');
  expect(counted).toContain('code="access_denied"} 0');
});
