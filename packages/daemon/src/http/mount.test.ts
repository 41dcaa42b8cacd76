import { describe, expect, test } from '@jest/globals';
import { createFakeClock, createNewId, ProblemError } from '@sbox/core';
import { route } from '@sbox/protocol';
import * as z from 'zod/mini';
import { randomBytes } from '../keys.ts';
import { createLogger, silentLogger, type LogSink } from '../log.ts';
import { createApp, type AppOptions, type RequestRecord } from './app.ts';
import type { Caller } from './exchange.ts';
import { createGatekeeper, type Gatekeeper } from './gatekeeper.ts';
import { mount, type Handlers } from './mount.ts';
import type { Replay, ReplayAnswer } from './steps/replay.ts';

const thing = z.object({ name: z.string(), revision: z.int() });
const contract = {
  things: {
    get: route({
      id: 'getThing',
      method: 'get',
      path: '/things/{id}',
      summary: 'One thing',
      permission: 'status:read',
      params: z.object({ id: z.string().check(z.maxLength(5)) }),
      query: z.strictObject({ limit: z._default(z.coerce.number().check(z.int(), z.maximum(10)), 3) }),
      ok: { status: 200, schema: thing },
      problems: [],
      example: { params: { id: 'a' } },
    }),
    replace: route({
      id: 'replaceThing',
      method: 'put',
      path: '/things/{id}',
      summary: 'Replace a thing',
      permission: 'status:read',
      params: z.object({ id: z.string() }),
      headers: z.object({ 'if-match': z.string() }),
      body: z.strictObject({ name: z.string() }),
      ok: { status: 200, schema: thing },
      problems: [],
      example: { params: { id: 'a' }, headers: { 'if-match': '*' }, body: { name: 'a' } },
    }),
    make: route({
      id: 'makeThing',
      method: 'post',
      path: '/things',
      summary: 'Make a thing',
      permission: 'status:read',
      headers: z.object({ 'idempotency-key': z.optional(z.string()) }),
      body: z.strictObject({ name: z.string() }),
      ok: { status: 201, schema: thing },
      problems: [],
      example: { body: { name: 'a' } },
    }),
    makeSecret: route({
      id: 'makeSecret',
      method: 'post',
      path: '/secrets',
      summary: 'Make a thing whose answer must not be stored',
      permission: 'status:read',
      body: z.strictObject({ name: z.string() }),
      ok: { status: 201, schema: thing },
      problems: [],
      example: { body: { name: 'a' } },
    }),
    remove: route({
      id: 'removeThing',
      method: 'delete',
      path: '/things/{id}',
      summary: 'Remove a thing',
      permission: 'public',
      params: z.object({ id: z.string() }),
      ok: { status: 204 },
      problems: [],
      example: { params: { id: 'a' } },
    }),
  },
  blob: route({
    id: 'getBlob',
    method: 'get',
    path: '/blob',
    summary: 'Bytes',
    permission: 'public',
    headers: z.object({ 'if-none-match': z.optional(z.string()) }),
    ok: { status: 200, bytes: 'application/x-tar' },
    problems: [],
    example: {},
  }),
  upload: route({
    id: 'upload',
    method: 'post',
    path: '/blob',
    summary: 'Bytes in',
    permission: 'public',
    rawBody: 'application/x-tar',
    ok: { status: 200, schema: z.object({ size: z.int() }) },
    problems: [],
    example: {},
  }),
};

const caller: Caller = { kind: 'token', id: 'tok_1', name: 'tests', permissions: new Set(['status:read']) };

function open(
  overrides: {
    authenticate?: Gatekeeper['authenticate'];
    replay?: Replay;
    app?: Partial<AppOptions>;
    maxBodyBytes?: number;
  } = {},
) {
  const logged: Parameters<LogSink>[0][] = [];
  const records: RequestRecord[] = [];
  let made = 0;
  const handlers: Handlers<typeof contract> = {
    things: {
      get: async ({ params, query }) => await Promise.resolve({ name: params.id, revision: query.limit }),
      replace: async ({ params, headers, body }) => {
        if (headers['if-match'] !== '*' && headers['if-match'] !== '"7"')
          throw new ProblemError('precondition.failed', `${params.id} has changed`);
        return await Promise.resolve({ name: body.name, revision: 8 });
      },
      make: async ({ body }) => {
        if (body.name === 'bug') throw new TypeError('password is hunter2');
        made += 1;
        return await Promise.resolve({ name: body.name, revision: made });
      },
      makeSecret: async ({ body }) => await Promise.resolve({ name: body.name, revision: (made += 1) }),
      remove: async () => {},
    },
    blob: async ({ headers }) =>
      await Promise.resolve({
        bytes: headers['if-none-match'] === '"b"' ? undefined : new Uint8Array([0, 255]),
        etag: '"b"',
        encoding: 'zstd' as const,
        headers: { 'x-size': '2' },
      }),
    upload: async ({ body }, { rawBody }) => await Promise.resolve({ size: body === rawBody ? body.length : -1 }),
  };
  const app = createApp({
    log: createLogger((record) => logged.push(record), 'debug'),
    clock: createFakeClock(),
    newId: createNewId(randomBytes),
    record: (request) => records.push(request),
    ...overrides.app,
  });
  mount(app, contract, handlers, {
    gatekeeper: createGatekeeper({
      authenticate: overrides.authenticate ?? (async () => await Promise.resolve(caller)),
    }),
    maxBodyBytes: overrides.maxBodyBytes ?? 64,
    ...(overrides.replay ? { replay: overrides.replay } : {}),
  });
  const send = async (
    method: string,
    path: string,
    body?: string | Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = {},
  ) => {
    const response = await app.request(path, {
      method,
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body }),
    });
    const bytes = new Uint8Array(await response.arrayBuffer());
    const text = new TextDecoder().decode(bytes);
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return {
      status: response.status,
      headers: response.headers,
      bytes,
      text,
      json: (isJson && text !== '' ? JSON.parse(text) : undefined) as Record<string, unknown> | undefined,
    };
  };
  return { logged, records, send, made: () => made };
}

describe('good answers', () => {
  test('parameters and defaults reach the handler; the revision is the ETag', async () => {
    const { send } = open();
    const answer = await send('GET', '/things/abc');
    expect(answer).toMatchObject({ status: 200, json: { name: 'abc', revision: 3 } });
    expect(answer.headers.get('etag')).toBe('"3"');
    expect((await send('GET', '/things/abc?limit=9')).json).toEqual({ name: 'abc', revision: 9 });
    expect(await send('HEAD', '/things/abc')).toMatchObject({ status: 200, text: '' });
  });

  test('201, 204 and exact bytes with their own headers', async () => {
    const { send } = open();
    expect(await send('POST', '/things', '{"name":"a"}')).toMatchObject({ status: 201, json: { name: 'a' } });
    expect(await send('DELETE', '/things/a')).toMatchObject({ status: 204, text: '' });
    const blob = await send('GET', '/blob');
    expect(blob.bytes).toEqual(new Uint8Array([0, 255]));
    expect(Object.fromEntries(blob.headers)).toMatchObject({
      etag: '"b"',
      'content-type': 'application/x-tar',
      'content-encoding': 'zstd',
      'x-size': '2',
    });
    expect(await send('GET', '/blob', undefined, { 'if-none-match': '"b"' })).toMatchObject({ status: 304, text: '' });
    expect((await send('POST', '/blob', new Uint8Array([1, 2, 3]), { 'content-type': 'x/y' })).json).toEqual({
      size: 3,
    });
  });
});

describe('refusals', () => {
  const refusal = async (
    method: string,
    path: string,
    body?: string | Uint8Array<ArrayBuffer>,
    headers?: Record<string, string>,
  ) => {
    const { send, made } = open();
    const { status, json, headers: answered } = await send(method, path, body, headers);
    expect(made()).toBe(0);
    return { status, code: json?.['code'], detail: json?.['detail'], details: json?.['details'], answered };
  };

  test('are problem documents', async () => {
    const { send } = open();
    const { json, headers } = await send('GET', '/nothing', undefined, { 'x-request-id': 'r1' });
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect(json).toEqual({
      type: 'https://sbox.invalid/problems/route.not-found',
      title: expect.any(String),
      status: 404,
      code: 'route.not-found',
      detail: 'GET /nothing',
      fix: expect.any(String),
      instance: 'r1',
    });
  });

  test('another method of a known path is 405 and names the right ones', async () => {
    const { status, code, answered } = await refusal('PATCH', '/things/a');
    expect([status, code]).toEqual([405, 'route.method-not-allowed']);
    expect(answered.get('allow')?.split(', ').toSorted()).toEqual(['DELETE', 'GET', 'HEAD', 'PUT']);
  });

  test('a body that is too long is 413, with and without its length', async () => {
    const long = JSON.stringify({ name: 'x'.repeat(100) });
    expect(await refusal('POST', '/things', long)).toMatchObject({ status: 413, details: { max_bytes: 64 } });
    const endless = new ReadableStream<Uint8Array>({
      pull: (controller) => controller.enqueue(new Uint8Array(10)),
    });
    const app = createApp({ log: silentLogger, clock: createFakeClock(), newId: () => 'req_1' });
    const handlers = { upload: async () => await Promise.resolve({ size: 0 }) };
    const gatekeeper = createGatekeeper({ authenticate: async () => await Promise.resolve(caller) });
    mount(app, { upload: contract.upload }, handlers, { gatekeeper, maxBodyBytes: 64 });
    const init = { method: 'POST', body: endless, duplex: 'half' };
    expect((await app.request('/blob', init as RequestInit)).status).toBe(413);
  });

  test.each([
    ['{"name":', 'application/json'],
    ['', 'application/json'],
    [new Uint8Array([0x22, 0xff, 0x22]), 'application/json'],
  ])('%j as %s cannot be read: 400', async (body, type) => {
    expect(await refusal('POST', '/things', body, { 'content-type': type })).toMatchObject({
      status: 400,
      code: 'request.malformed',
    });
  });

  test('a body that is no JSON by its own words is 415, one that is nested too deep 422', async () => {
    expect(await refusal('POST', '/things', '{"name":"a"}', { 'content-type': 'text/plain' })).toMatchObject({
      status: 415,
      code: 'request.unsupported-media-type',
    });
    const deep = '['.repeat(60) + ']'.repeat(4);
    expect(await refusal('POST', '/things', deep)).toMatchObject({ status: 400 });
    const app = open({ maxBodyBytes: 1000 });
    expect((await app.send('POST', '/things', '['.repeat(65) + ']'.repeat(65))).json).toMatchObject({
      status: 422,
      code: 'request.too-deep',
    });
  });

  test.each([
    ['POST', '/things', '{"name":1}', 'body name: '],
    ['GET', '/blob?x=1', undefined, 'query x: '],
    ['DELETE', '/things/a', '{"name":"a"}', 'body: '],
    ['POST', '/things', '{"name":"a","more":1}', 'body: '],
    ['POST', '/things', 'null', 'body: '],
    ['GET', '/things/toolong', undefined, 'path id: '],
    ['GET', '/things/a?limit=99', undefined, 'query limit: '],
    ['GET', '/things/a?other=1', undefined, 'query: '],
  ])('%s %s with %s is 422 and says where', async (method, path, body, where) => {
    const { status, code, detail } = await refusal(method, path, body);
    expect([status, code]).toEqual([422, 'request.invalid']);
    expect(detail).toContain(where);
  });

  test('a write without If-Match is 428, with an old one 412', async () => {
    expect(await refusal('PUT', '/things/a', '{"name":"a"}')).toMatchObject({
      status: 428,
      code: 'precondition.required',
    });
    expect(await refusal('PUT', '/things/a', '{"name":"a"}', { 'if-match': '"6"' })).toMatchObject({
      status: 412,
      code: 'precondition.failed',
    });
    const { send } = open();
    const answer = await send('PUT', '/things/a', '{"name":"b"}', { 'if-match': '"7"' });
    expect([answer.status, answer.headers.get('etag')]).toEqual([200, '"8"']);
  });

  test('a bug shows only the id of the request; the log has the rest', async () => {
    const { send, logged } = open();
    const answer = await send('POST', '/things', '{"name":"bug"}', { 'x-request-id': 'r7' });
    expect(answer.status).toBe(500);
    expect(answer.text).not.toMatch(/hunter2|TypeError|\.ts/);
    expect(answer.json).toMatchObject({ code: 'internal.error', detail: 'request r7', instance: 'r7' });
    expect(logged.find(({ level }) => level === 'error')).toMatchObject({
      request_id: 'r7',
      route: '/things',
      error: 'password is hunter2',
      stack: expect.stringContaining('TypeError'),
    });
  });
});

test('who asks is found out before anything in the request is believed', async () => {
  const seen: unknown[] = [];
  const { send } = open({
    authenticate: async ({ id }, { method, path, headers, readBody, remoteAddress }) => {
      const body = Buffer.from(await readBody()).toString();
      seen.push([id, method, path, headers['x-a'], body, remoteAddress]);
      return await Promise.reject(new ProblemError('auth.invalid', 'no'));
    },
  });
  expect((await send('POST', '/things?x=%20y', '{not json', { 'X-A': '1' })).status).toBe(401);
  expect(seen).toEqual([['makeThing', 'POST', '/things?x=%20y', '1', '{not json', 'local']]);
});

test('the body of a stranger is not read: not even its length counts', async () => {
  const { send } = open({
    authenticate: async () => await Promise.reject(new ProblemError('auth.missing', 'no')),
  });
  expect((await send('POST', '/things', 'x'.repeat(100_000))).status).toBe(401);
});

describe('an Idempotency-Key', () => {
  const createReplay = (): Replay => {
    const known = new Map<string, { digest: string; answer: ReplayAnswer }>();
    return {
      async once({ id }, { key, digest }, run) {
        const found = known.get(`${id} ${key}`);
        if (found && found.digest !== digest) throw new ProblemError('request.idempotency-mismatch', key);
        if (found) return { answer: found.answer, isReplay: true };
        const answer = await run();
        known.set(`${id} ${key}`, { digest, answer });
        return { answer, isReplay: false };
      },
    };
  };

  test('gives the first answer again instead of doing it again', async () => {
    const { send, made } = open({ replay: createReplay() });
    const key = { 'idempotency-key': 'k1' };
    const first = await send('POST', '/things', '{"name":"a"}', key);
    const second = await send('POST', '/things', '{"name":"a"}', key);
    expect([first.status, second.status, second.text]).toEqual([201, 201, first.text]);
    expect([first.headers.get('idempotency-replayed'), second.headers.get('idempotency-replayed')]).toEqual([
      null,
      'true',
    ]);
    expect(made()).toBe(1);
    expect((await send('POST', '/things', '{"name":"b"}', key)).status).toBe(409);
    expect((await send('POST', '/things', '{"name":"b"}', { 'idempotency-key': 'k2' })).json).toMatchObject({
      revision: 2,
    });
  });

  test('means nothing to a route that does not declare it', async () => {
    const { send, made } = open({ replay: createReplay() });
    const key = { 'idempotency-key': 'k1' };
    await send('POST', '/secrets', '{"name":"a"}', key);
    await send('POST', '/secrets', '{"name":"a"}', key);
    expect(made()).toBe(2);
  });

  test('does not make a failure stick', async () => {
    const { send, made } = open({ replay: createReplay() });
    const key = { 'idempotency-key': 'k1' };
    expect((await send('POST', '/things', '{"name":1}', key)).status).toBe(422);
    expect((await send('POST', '/things', '{"name":"a"}', key)).status).toBe(201);
    expect(made()).toBe(1);
  });
});
