import { expect, test } from '@jest/globals';
import type { BytesAnswer } from '@sbox/protocol';
import * as z from 'zod/mini';
import { createExchange } from '../../../test/exchange-double.ts';
import { createHandle } from './handle.ts';

const unreachable = async () => await Promise.reject(new Error('nothing comes after the handler'));
const handle = async (exchange: ReturnType<typeof createExchange>, result: unknown) =>
  await createHandle(async () => await Promise.resolve(result))(exchange, unreachable);

test('JSON as the route declares it; a revision is the ETag', async () => {
  const schema = z.object({ name: z.string() });
  const response = await handle(createExchange({ route: { ok: { status: 201, schema } } }), { name: 'a', revision: 4 });
  expect(response.status).toBe(201);
  expect(response.headers.get('etag')).toBe('"4"');
  expect(await response.json()).toEqual({ name: 'a', revision: 4 });
});

test('nothing is 204', async () => {
  const response = await handle(createExchange({ route: { ok: { status: 204 } } }), undefined);
  expect([response.status, await response.text()]).toEqual([204, '']);
});

test.each<[BytesAnswer, number]>([
  [{ bytes: new Uint8Array([1]), etag: '"b"' }, 200],
  [{ bytes: new Uint8Array([1]), etag: '"b"', range: 'bytes 0-0/2' }, 206],
  [{ bytes: undefined, etag: '"b"' }, 304],
])('%j is %d', async (result, status) => {
  const response = await handle(createExchange({ route: { ok: { status: 200, bytes: 'x/y' } } }), result);
  expect([response.status, response.headers.get('etag')]).toEqual([status, '"b"']);
  expect(response.headers.get('content-range')).toBe(result.range ?? null);
});

test('a handler knows who asks and may add headers; the exchange knows that it was reached', async () => {
  const exchange = createExchange();
  exchange.caller = { kind: 'token', id: 'tok_1', name: 'tests', permissions: new Set() };
  exchange.args = { query: { a: 1 } };
  const response = await createHandle(async (args, context) => {
    context.setHeader('x-seen', `${context.caller.id} ${context.remoteAddress} ${JSON.stringify(args)}`);
    return await Promise.resolve({});
  })(exchange, unreachable);
  expect(response.headers.get('x-seen')).toBe('tok_1 192.0.2.1 {"query":{"a":1}}');
  expect(exchange.isHandled).toBe(true);
});
