import { ServiceError } from '@mayfly/contracts/errors';
import type { Logger } from 'pino';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { issueLog } from './log.ts';

const BUILD = { source: 'acme', id: '42', attempt: 1 };

test('a refusal by policy is told with its reason and counted, and of what a request was made of nothing is told', async () => {
  const said: object[] = [];
  const metrics = new Registry();
  const logger = { warn: (fields: object) => said.push(fields) } as unknown as Logger;
  const log = issueLog(logger, metrics, () => 0);

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

test('a build that asks without end is told of once a minute, and counted each time', async () => {
  const said: object[] = [];
  const metrics = new Registry();
  let time = 0;
  const logger = { warn: (fields: object) => said.push(fields) } as unknown as Logger;
  const log = issueLog(logger, metrics, () => time);
  const refusal = new ServiceError('access_denied', 'a build of this source may have 5 tokens');

  for (let asked = 0; asked < 100; asked++) log.refused(BUILD, refusal);
  log.refused({ ...BUILD, id: '43' }, refusal);
  expect(said).toHaveLength(2);
  time = 60_000;
  log.refused(BUILD, refusal);

  expect(said).toHaveLength(3);
  expect(await metrics.getSingleMetricAsString('mayfly_tokens_refused_total')).toContain(
    '"access_denied"} 102',
  );
});
