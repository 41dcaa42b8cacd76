import { describe, expect, test } from '@jest/globals';
import { ProblemError } from '@sbox/core';
import * as fc from 'fast-check';
import { createClient, type Transport, type TransportAnswer, type TransportRequest } from './client.ts';
import { operatorContract } from './contract.ts';
import { localRoutes } from './local/local-routes.ts';

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const read = (body: Uint8Array | undefined): string => new TextDecoder().decode(body);

/** A transport that remembers what was asked and always gives the same answer. */
function fake(status: number, body: unknown = {}, headers: TransportAnswer['headers'] = {}) {
  const requests: TransportRequest[] = [];
  const transport: Transport = async (request) => {
    requests.push(request);
    return await Promise.resolve({ status, headers, body: body instanceof Uint8Array ? body : bytes(body) });
  };
  return { requests, transport, client: createClient(operatorContract, transport) };
}

const health = { ok: true, checks: [{ name: 'database', ok: true, detail: '' }] };

test('a call becomes the request of its route, and its answer is parsed', async () => {
  const { client, requests } = fake(200, { ...health, added_later: 1 });
  expect(await client.system.health()).toEqual(health);
  expect(requests).toEqual([
    { method: 'GET', path: '/api/v1/health', headers: {}, body: undefined, signal: undefined },
  ]);
});

test('parameters, query, headers and body find their places', async () => {
  const { client, requests } = fake(204, new Uint8Array());
  const { signal } = new AbortController();
  expect(await client.configs.remove({ params: { id: 'a/b?' }, headers: { 'if-match': '*' } }, signal)).toBeUndefined();
  expect(requests[0]).toMatchObject({
    method: 'DELETE',
    path: '/api/v1/configs/a%2Fb%3F',
    headers: { 'if-match': '*' },
  });
  expect(requests[0]?.signal).toBe(signal);

  await client.subscriptions.list({ query: { limit: 5, cursor: undefined } }).catch(() => {});
  expect(requests[1]?.path).toBe('/api/v1/subscriptions?limit=5');

  const patch = { params: { id: 'x' }, headers: { 'if-match': '"1"' }, body: { refresh_every: '2h' } };
  await client.subscriptions.update(patch).catch(() => {});
  expect(requests[2]).toMatchObject({
    method: 'PATCH',
    headers: { 'if-match': '"1"', 'content-type': 'application/merge-patch+json' },
  });
  expect(read(requests[2]?.body)).toBe('{"refresh_every":"2h"}');

  await client.tokens.create({ body: { name: 'a', permissions: ['status:read'] } }).catch(() => {});
  expect(requests[3]?.headers).toEqual({ 'content-type': 'application/json' });
});

test('bytes go out and come in as they are', async () => {
  const body = new Uint8Array([0, 255, 10]);
  const { client, requests } = fake(200, body, { etag: '"7"', 'content-encoding': 'zstd' });
  expect(await client.servers.bundle({ params: { id: 'island' } })).toEqual({
    bytes: body,
    etag: '"7"',
    encoding: 'zstd',
  });
  const local = createClient(localRoutes, async (request) => {
    requests.push(request);
    return await Promise.resolve({ status: 202, headers: {}, body: bytes({ epoch: 1, generation: 2 }) });
  });
  expect(await local.import({ body })).toEqual({ epoch: 1, generation: 2 });
  expect(requests[1]?.headers).toEqual({ 'content-type': 'application/x-tar' });
  expect(requests[1]?.body).toBe(body);
});

test('304 says that the bytes are known', async () => {
  const { client } = fake(304, new Uint8Array(), { etag: '"7"' });
  expect(await client.servers.bundle({ params: { id: 'island' } })).toEqual({ bytes: undefined, etag: '"7"' });
});

describe('failures', () => {
  const failure = async (answer: ReturnType<typeof fake>): Promise<unknown> =>
    await answer.client.configs.get({ params: { id: 'x' } }).catch((error: unknown) => error);

  test('keep the code, the words, the fix and the details of the other side', async () => {
    const problem = { code: 'config.not-found', detail: 'no config x', fix: 'look', details: { id: 'x' }, status: 404 };
    const error = await failure(fake(404, problem));
    expect(error).toBeInstanceOf(ProblemError);
    expect(error).toMatchObject({
      code: 'config.not-found',
      message: 'no config x',
      fix: 'look',
      details: { id: 'x' },
    });
  });

  test.each([
    ['a page of a proxy', 502, new TextEncoder().encode('<html>')],
    ['a code of a newer manager', 400, { code: 'quota.exceeded', detail: 'x' }],
    ['a redirect', 302, {}],
    ['another good status than the declared one', 201, {}],
    ['JSON of another shape', 200, { id: 7 }],
    ['no JSON', 200, new Uint8Array([255])],
  ])('%s is remote.failed', async (_, status, body) => {
    const error = await failure(fake(status, body));
    expect(error).toBeInstanceOf(ProblemError);
    expect(error).toMatchObject({ code: 'remote.failed', details: { status } });
  });

  test('of the transport pass through', async () => {
    const gone = new ProblemError('manager.unreachable', 'no route');
    const client = createClient(operatorContract, async () => await Promise.reject(gone));
    await expect(client.system.health()).rejects.toBe(gone);
  });

  test('whatever comes back, the caller gets data or a problem', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 200, max: 599 }), fc.uint8Array({ maxLength: 50 }), async (status, body) => {
        const { client } = fake(status, body);
        const result = await client.system.status().catch((error: unknown) => error);
        expect(result).toBeInstanceOf(ProblemError);
      }),
    );
  });
});

test('a wrong call is a type error', async () => {
  const { client } = fake(404);
  const calls = [
    // @ts-expect-error: the parameter is missing
    async () => await client.configs.get(),
    // @ts-expect-error: If-Match is missing
    async () => await client.configs.remove({ params: { id: 'x' } }),
    // @ts-expect-error: another name of the parameter
    async () => await client.configs.get({ params: { name: 'x' } }),
    // @ts-expect-error: a body that the route does not take
    async () => await client.configs.get({ params: { id: 'x' }, body: {} }),
    // @ts-expect-error: a field of another type
    async () => await client.tokens.create({ body: { name: 7, permissions: [] } }),
    // @ts-expect-error: a field that there is not
    async () => await client.configs.generate({ params: { id: 'x' }, body: { mesage: '' } }),
    // @ts-expect-error: an operation that there is not
    async () => await (client.configs.destroy as () => Promise<unknown>)(),
    // @ts-expect-error: the answer has no such field
    async () => (await client.system.health()).healthy,
  ];
  for (const call of calls) await expect(call()).rejects.toThrow();
});
