import { checker } from '@mayfly/contracts/check';
import { OPS_ROUTES } from '@mayfly/contracts/schema-routes-ops';
import type { TSchema } from 'typebox';
import { expect, test } from 'vitest';
import { opsServer } from './ops.ts';

test('the published OpenAPI document names every address of the port for operators, and no other', () => {
  const { http } = opsServer();

  const served = [...http.printRoutes({ commonPrefix: false }).matchAll(/(\/\w+) \(GET, HEAD\)/g)];

  expect(new Set(served.map(([, path]) => path))).toEqual(new Set(OPS_ROUTES.map(({ path }) => path)));
});

test.each([true, false])(
  'what operators are told is what the document says, ready or not: %s',
  async (isReady) => {
    const { http, ops } = opsServer();
    ops.readyWhen('nats', () => isReady);

    for (const { path, answer, otherwise } of OPS_ROUTES) {
      const said = isReady ? answer : (otherwise ?? answer);
      const { statusCode, headers, body } = await http.inject(path);
      const [type = '', schema] = Object.entries(said.content ?? {})[0] ?? [];
      const value: unknown = type === 'application/json' ? JSON.parse(body) : body;

      expect([path, statusCode]).toEqual([path, said.status]);
      expect(headers['content-type']).toContain(type);
      expect(checker(schema as TSchema).faults(value)).toEqual([]);
    }
  },
);

test('whether the service is ready is measured too, each thing by its name', async () => {
  const { http, ops } = opsServer();
  ops.readyWhen('nats', () => true);
  ops.readyWhen('keys', () => false);

  const { body } = await http.inject('/metrics');

  expect(body).toContain('mayfly_ready{check="nats"} 1');
  expect(body).toContain('mayfly_ready{check="keys"} 0');
});
