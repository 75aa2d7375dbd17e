import { expect, test } from 'vitest';
import { natsTls } from './nats-tls.ts';

test('TLS is for all servers or for none', () => {
  expect(natsTls('nats://a')).toEqual({});
  expect(natsTls(['nats://a', 'nats://b'])).toEqual({});
  expect(natsTls(['tls://a', 'tls://b'])).toEqual({ tls: {} });
  expect(() => natsTls(['tls://a', 'nats://b'])).toThrow(TypeError);
});
