import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { createFakeClock, createNewId, formatAccessToken, ProblemError, parseAccessToken } from '@sbox/core';
import { createKeyPair, randomBytes, readPublicKey } from '@sbox/daemon/keys';
import { silentLogger } from '@sbox/daemon/log';
import { createApp, mount, type RequestContext } from '@sbox/daemon/serve';
import { signRequest } from '@sbox/daemon/signature';
import { operatorContract, route } from '@sbox/protocol';
import * as fc from 'fast-check';
import * as z from 'zod/mini';
import { openDatabase } from '../database/open-database.ts';
import { createStore } from '../database/store.ts';
import { createAccess } from './access.ts';
import { defaultRateLimits, type RateLimitSettings } from './rate-limits.ts';
import { createTokensHandlers } from './tokens-routes.ts';

const answer = { status: 200, schema: z.object({ who: z.string() }) } as const;
const plain = { method: 'get', summary: 's', ok: answer, problems: [], example: {} } as const;
const contract = {
  open: route({ ...plain, id: 'open', path: '/open', permission: 'public' }),
  live: route({ ...plain, id: 'getLiveness', path: '/healthz', permission: 'public' }),
  enrol: route({ ...plain, id: 'enrol', method: 'post', path: '/enrol', permission: 'public' }),
  servers: route({ ...plain, id: 'servers', path: '/servers', permission: 'servers:read' }),
  desired: route({ ...plain, id: 'desired', path: '/desired', permission: 'agent' }),
};
const who = async (_: unknown, { caller }: RequestContext) =>
  await Promise.resolve({ who: `${caller.kind} ${caller.name}` });
const handlers = { open: who, live: who, enrol: who, servers: who, desired: who };

interface Call {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly from?: string;
  readonly body?: unknown;
}

/** A manager that has nothing but doors. */
async function openManager(limits: Partial<RateLimitSettings> = {}) {
  const { db, ...database } = await openDatabase(':memory:');
  const clock = createFakeClock();
  const newId = createNewId(randomBytes);
  const store = createStore({ db, clock, newId, published: () => {} });
  const { tokens } = store;
  const key = createKeyPair();
  const access = createAccess({
    tokens,
    clock,
    newId,
    randomBytes,
    limits: { ...defaultRateLimits, ...limits },
    agentKeys: {
      async find(id) {
        if (id === 'srv_gone') throw new ProblemError('auth.revoked', 'this server was removed');
        const known = { ...readPublicKey(key.publicKey), used: async () => await Promise.resolve() };
        return await Promise.resolve(id.startsWith('srv_') ? known : undefined);
      },
    },
  });
  const app = createApp({ log: silentLogger, clock, newId });
  const options = { gatekeeper: access.gatekeeper, maxBodyBytes: 1000 };
  mount(app, contract, handlers, options);
  mount(app, operatorContract.tokens, createTokensHandlers({ store, clock, newId, randomBytes }), options);

  const call = async (where: string, { method = 'GET', headers = {}, from = '192.0.2.1', body }: Call = {}) => {
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    const init = { method, headers: { 'content-type': 'application/json', ...headers }, ...content };
    const response = await app.request(where, init, { incoming: { socket: { remoteAddress: from } } });
    const text = await response.text();
    const json = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
    return { status: response.status, headers: response.headers, json };
  };
  const signed = async (where: string, serverId = 'srv_1', signer = key) =>
    await signRequest({ method: 'GET', path: where, headers: {}, body: new Uint8Array() }, serverId, signer, clock);
  const bearer = (text: string) => ({ authorization: `Bearer ${text}` });
  return { access, tokens, clock, call, signed, bearer, [Symbol.asyncDispose]: database[Symbol.asyncDispose] };
}

describe('tokens', () => {
  test('open what they hold, and nothing else', async () => {
    await using manager = await openManager();
    const { access, bearer, call } = manager;
    const reader = await access.issue({ name: 'reader', kind: 'svc', permissions: ['servers:read'] });
    const other = await access.issue({ name: 'other', kind: 'pat', permissions: ['configs:read'] });
    const admin = await access.issue({ name: 'root', kind: 'pat', permissions: ['admin'] });
    expect(await call('/servers', { headers: bearer(reader.text) })).toMatchObject({
      status: 200,
      json: { who: 'token reader' },
    });
    expect((await call('/servers', { headers: bearer(admin.text) })).json).toEqual({ who: 'token root' });
    expect(await call('/servers', { headers: bearer(other.text) })).toMatchObject({
      status: 403,
      json: { code: 'auth.forbidden', details: { permission: 'servers:read' } },
    });
    expect((await call('/desired', { headers: bearer(admin.text) })).json['code']).toBe('auth.signature-missing');
  });

  test('are refused when they are missing, mistyped, unknown, of another kind, revoked or expired', async () => {
    await using manager = await openManager();
    const { access, bearer, call, clock, tokens } = manager;
    const good = await access.issue({ name: 'a', kind: 'pat', permissions: ['servers:read'], ttlMs: 1000 });
    const revoked = await access.issue({ name: 'b', kind: 'pat', permissions: ['servers:read'] });
    await tokens.revoke(revoked.record.id, '2026-01-01T00:00:00.000Z');
    const parsed = parseAccessToken(good.text);
    const forged = [
      { kind: 'pat' as const, id: parsed?.id ?? '', secret: 'A'.repeat(43) },
      { kind: 'svc' as const, id: parsed?.id ?? '', secret: parsed?.secret ?? '' },
      { kind: 'pat' as const, id: 'unknown', secret: parsed?.secret ?? '' },
    ].map(formatAccessToken);
    const codeOf = async (headers: Record<string, string>) => (await call('/servers', { headers })).json['code'];
    expect(await codeOf({})).toBe('auth.missing');
    expect(await codeOf({ authorization: `Basic ${good.text}` })).toBe('auth.invalid');
    for (const text of [`${good.text}x`, good.text.slice(0, -1), revoked.text, ...forged])
      expect(await codeOf(bearer(text))).toBe('auth.invalid');
    expect((await call('/servers', { headers: bearer(good.text) })).status).toBe(200);
    await clock.advance(1000);
    expect(await codeOf(bearer(good.text))).toBe('auth.invalid');
  });

  test('are kept as digests, and their last use is noted once a minute', async () => {
    await using manager = await openManager();
    const { access, bearer, call, clock, tokens } = manager;
    const { text, record } = await access.issue({ name: 'a', kind: 'pat', permissions: ['servers:read'] });
    const stored = async () => await tokens.find(record.id);
    expect(JSON.stringify(await stored())).not.toContain(parseAccessToken(text)?.secret);
    const uses = [];
    for (const waitMs of [0, 59_000, 1000]) {
      await clock.advance(waitMs);
      await call('/servers', { headers: bearer(text) });
      uses.push((await stored())?.last_used_at);
    }
    expect(uses).toEqual(['2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z', '2026-01-01T00:01:00.000Z']);
  });

  test('whatever stands in Authorization, the answer is a problem', async () => {
    await using manager = await openManager({ anonymous: 100_000 });
    const { access } = manager;
    const known = parseAccessToken((await access.issue({ name: 'a', kind: 'pat', permissions: ['admin'] })).text);
    const words = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({ unit: 'grapheme' }).map((text) => `Bearer ${text}`),
      fc.tuple(fc.constantFrom('pat', 'svc'), fc.string(), fc.string()).map(([kind, id, secret]) => {
        const given = { kind: kind as 'pat', id: id || (known?.id ?? ''), secret };
        return `Bearer ${formatAccessToken(given)}`;
      }),
    );
    const readBody = async () => await Promise.reject(new Error('nobody may read this body'));
    await fc.assert(
      fc.asyncProperty(words, async (authorization) => {
        const request = { method: 'GET', path: '/servers', headers: { authorization } };
        const given = { ...request, readBody, remoteAddress: '192.0.2.1' };
        const refused = access.gatekeeper.authenticate(contract.servers, given);
        await expect(refused).rejects.toBeInstanceOf(ProblemError);
      }),
      { numRuns: 300 },
    );
  });
});

test('tokens that are dead are forgotten, and no others', async () => {
  await using manager = await openManager();
  const { access, tokens } = manager;
  const live = await access.issue({ name: 'live', kind: 'svc', role: 'viewer' });
  const later = await access.issue({ name: 'later', kind: 'svc', role: 'viewer', ttlMs: 86_400_000 });
  const old = await access.issue({ name: 'old', kind: 'svc', role: 'viewer', ttlMs: 1000 });
  const revoked = await access.issue({ name: 'revoked', kind: 'svc', role: 'viewer' });
  await tokens.revoke(revoked.record.id, '2026-01-01T00:00:00.000Z');
  await tokens.removeDead('2026-01-01T12:00:00.000Z', 10);
  const found = await Promise.all([live, later, old, revoked].map(async ({ record }) => await tokens.find(record.id)));
  expect(found.map((one) => one?.name)).toEqual(['live', 'later', undefined, undefined]);
});

describe('the first token', () => {
  test('is written for its owner alone, and only while there is none that may do everything', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'sbox-access-'));
    const file = path.join(directory, 'admin-token');
    await using manager = await openManager();
    const { access, bearer, call, tokens } = manager;
    await access.issue({ name: 'reader', kind: 'svc', permissions: ['servers:read'] });
    await access.ensureAdminToken(file);
    const first = (await readFile(file, 'utf8')).trim();
    expect(first).toMatch(/^sbox_pat_/);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await call('/servers', { headers: bearer(first) })).status).toBe(200);
    await access.ensureAdminToken(file);
    expect((await readFile(file, 'utf8')).trim()).toBe(first);
    await tokens.revoke(`tok_${parseAccessToken(first)?.id}`, '2026-01-01T00:00:00.000Z');
    await access.ensureAdminToken(file);
    expect((await readFile(file, 'utf8')).trim()).not.toBe(first);
    await rm(directory, { recursive: true });
  });
});

describe('agents', () => {
  test('are known by their signature', async () => {
    await using manager = await openManager();
    const { call, signed } = manager;
    expect((await call('/desired', { headers: await signed('/desired') })).json).toEqual({ who: 'server srv_1' });
    expect((await call('/desired')).json['code']).toBe('auth.signature-missing');
    const stranger = await signed('/desired', 'srv_1', createKeyPair());
    expect((await call('/desired', { headers: stranger })).json['code']).toBe('auth.signature-invalid');
    expect(await call('/desired', { headers: await signed('/desired', 'srv_gone') })).toMatchObject({
      status: 410,
      json: { code: 'auth.revoked' },
    });
  });

  test('may use no route of people: 403 with a code when the signature is right', async () => {
    await using manager = await openManager();
    const { call, signed } = manager;
    expect(await call('/servers', { headers: await signed('/servers') })).toMatchObject({
      status: 403,
      json: { code: 'auth.forbidden', details: { permission: 'servers:read' } },
    });
    const stranger = await signed('/servers', 'srv_1', createKeyPair());
    expect(await call('/servers', { headers: stranger })).toMatchObject({
      status: 401,
      json: { code: 'auth.signature-invalid' },
    });
  });
});

describe('limits', () => {
  test('hold by address for the anonymous, with the whole /64 of IPv6 as one, and spare health', async () => {
    await using manager = await openManager({ anonymous: 2 });
    const { call } = manager;
    const statuses = async (...from: string[]) => {
      const answers = [];
      for (const address of from) answers.push((await call('/open', { from: address })).status);
      return answers;
    };
    expect(await statuses('192.0.2.1', '::ffff:192.0.2.1', '192.0.2.1', '192.0.2.2')).toEqual([200, 200, 429, 200]);
    expect(await statuses('2001:db8::1', '2001:db8::2', '2001:db8::3', '2001:db8:0:1::1')).toEqual([
      200, 200, 429, 200,
    ]);
    const refused = await call('/open');
    expect(refused.json).toMatchObject({ code: 'request.rate-limited', details: { limit: 2 } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(Number(refused.headers.get('retry-after'))).toBeLessThanOrEqual(60);
    expect(refused.headers.get('ratelimit-policy')).toBe('"anonymous";q=2;w=60');
    expect(refused.headers.get('ratelimit')).toBe(`"anonymous";r=0;t=${refused.headers.get('retry-after')}`);
    for (let time = 0; time < 5; time += 1) {
      const health = await call('/healthz');
      expect([health.status, health.headers.get('ratelimit')]).toEqual([200, null]);
    }
  });

  test('stand in good answers: how many are left, and until when they count', async () => {
    await using manager = await openManager({ token: 5 });
    const { access, bearer, call } = manager;
    const { text } = await access.issue({ name: 'a', kind: 'pat', permissions: ['servers:read'] });
    const left = [];
    for (let time = 0; time < 3; time += 1) {
      const { headers } = await call('/servers', { headers: bearer(text) });
      expect(headers.get('ratelimit-policy')).toBe('"token";q=5;w=60');
      left.push(/^"token";r=(\d+);t=(?:[1-9]|[1-5]\d|60)$/.exec(headers.get('ratelimit') ?? '')?.[1]);
    }
    expect(left).toEqual(['4', '3', '2']);
  });

  test('count what is forbidden too', async () => {
    await using manager = await openManager({ token: 2 });
    const { access, bearer, call } = manager;
    const { text } = await access.issue({ name: 'a', kind: 'pat', permissions: ['configs:read'] });
    const statuses = [];
    for (let time = 0; time < 3; time += 1) statuses.push((await call('/servers', { headers: bearer(text) })).status);
    expect(statuses).toEqual([403, 403, 429]);
  });

  test('end guessing at an address, but not the right token beside it', async () => {
    await using manager = await openManager({ anonymous: 3 });
    const { access, bearer, call } = manager;
    const { text } = await access.issue({ name: 'a', kind: 'pat', permissions: ['servers:read'] });
    const statuses = [];
    for (let time = 0; time < 5; time += 1)
      statuses.push((await call('/servers', { headers: bearer('sbox_pat_a_b_c') })).status);
    expect(statuses).toEqual([401, 401, 401, 429, 429]);
    expect((await call('/servers', { headers: bearer(text) })).status).toBe(200);
  });

  test('hold by token, wherever it is used', async () => {
    await using manager = await openManager({ token: 2 });
    const { access, bearer, call } = manager;
    const issue = async (name: string) => (await access.issue({ name, kind: 'pat', permissions: ['admin'] })).text;
    const [one, two] = [await issue('one'), await issue('two')];
    const statuses = [];
    for (const [text, from] of [
      [one, '192.0.2.1'],
      [one, '192.0.2.2'],
      [one, '192.0.2.3'],
      [two, '192.0.2.3'],
    ] as const)
      statuses.push((await call('/servers', { headers: bearer(text), from })).status);
    expect(statuses).toEqual([200, 200, 429, 200]);
  });

  test('hold by server, so that a fleet behind one address is not one caller', async () => {
    await using manager = await openManager({ agent: 1, anonymous: 1 });
    const { call, clock, signed } = manager;
    const statusOf = async (serverId: string) =>
      (await call('/desired', { headers: await signed('/desired', serverId) })).status;
    expect([await statusOf('srv_1'), await statusOf('srv_2'), await statusOf('srv_1')]).toEqual([200, 200, 429]);
    const late = await signed('/desired', 'srv_3');
    await clock.advance(120_000);
    // Each of them must learn the time of the manager.
    for (let time = 0; time < 3; time += 1)
      expect((await call('/desired', { headers: late })).json['code']).toBe('auth.clock-skew');
  });

  test('hold joining by address, loopback excepted', async () => {
    await using manager = await openManager({ enrol: 1 });
    const { call } = manager;
    const enrol = async (from: string) => (await call('/enrol', { method: 'POST', from })).status;
    expect([await enrol('192.0.2.1'), await enrol('192.0.2.1'), await enrol('192.0.2.2')]).toEqual([200, 429, 200]);
    for (const from of ['127.0.0.1', '127.0.0.1', '::1', '::1', '::ffff:127.0.0.1'])
      expect(await enrol(from)).toBe(200);
  });
});

describe('tokens over the API', () => {
  test('are made, listed without secrets page by page, and revoked', async () => {
    await using manager = await openManager();
    const { access, bearer, call, clock } = manager;
    const admin = bearer((await access.issue({ name: 'admin', kind: 'pat', permissions: ['admin'] })).text);
    const made = [];
    for (const name of ['one', 'two']) {
      await clock.advance(1000);
      const body = { name, permissions: ['servers:read'], ttl: '1h' };
      made.push(await call('/api/v1/tokens', { method: 'POST', headers: admin, body }));
    }
    const [one] = made.map(({ json }) => json);
    expect(made[0]).toMatchObject({ status: 201, json: { name: 'one', expires_at: '2026-01-01T01:00:01.000Z' } });
    expect((await call('/servers', { headers: bearer(String(one?.['token'])) })).status).toBe(200);

    const first = (await call('/api/v1/tokens?limit=2', { headers: admin })).json;
    const second = (await call(`/api/v1/tokens?limit=2&cursor=${String(first['next_cursor'])}`, { headers: admin }))
      .json;
    const names = [first, second].map(({ items }) => (items as { name: string }[]).map(({ name }) => name));
    expect(names).toEqual([['two', 'one'], ['admin']]);
    expect(second['next_cursor']).toBeNull();
    expect(JSON.stringify([first, second])).not.toMatch(/secret|sha256/);

    const where = `/api/v1/tokens/${String(one?.['id'])}`;
    expect((await call(where, { method: 'DELETE', headers: admin })).status).toBe(204);
    expect((await call('/servers', { headers: bearer(String(one?.['token'])) })).status).toBe(401);
    expect(await call(where, { method: 'DELETE', headers: admin })).toMatchObject({ status: 404 });
  });

  test('hold at most what their maker holds, for ten years at most', async () => {
    await using manager = await openManager();
    const { access, bearer, call } = manager;
    const limited = await access.issue({ name: 'a', kind: 'pat', permissions: ['tokens:write', 'servers:read'] });
    const make = async (body: unknown) =>
      await call('/api/v1/tokens', { method: 'POST', headers: bearer(limited.text), body });
    expect(await make({ name: 'b', permissions: ['servers:read', 'servers:write'] })).toMatchObject({
      status: 403,
      json: { code: 'auth.forbidden', details: { permission: 'servers:write' } },
    });
    expect((await make({ name: 'b', permissions: ['admin'] })).status).toBe(422);
    expect((await make({ name: 'b', permissions: ['servers:read'], ttl: '99999999999w' })).status).toBe(422);
    expect((await make({ name: 'b', permissions: ['servers:read'] })).status).toBe(201);
  });
});
