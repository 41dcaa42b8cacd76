import { readFile } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { describe, expect, test } from '@jest/globals';
import { createFakeClock } from '@sbox/core';
import type { RoleName } from '@sbox/protocol';
import { codeOfStep, decodeBase32 } from '../src/features/people/totp.ts';
import { codeOf, openManager, type TestManager } from './open-manager.ts';

const password = 'quite a long password';

interface Answer {
  readonly status: number;
  readonly json: Record<string, unknown>;
  readonly cookie: string;
}

/** A browser, as far as sessions go: what it is told to keep it sends back. */
async function send(
  { manager }: TestManager,
  method: string,
  where: string,
  { headers = {}, body }: { readonly headers?: Record<string, string>; readonly body?: unknown } = {},
): Promise<Answer> {
  const response = await fetch(`${manager.url}${where}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    json: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>,
    cookie: response.headers.get('set-cookie') ?? '',
  };
}

const makeUser = async ({ client }: TestManager, name: string, role: RoleName) =>
  await client.users.create({ body: { name, password, role } });

const login = async (manager: TestManager, name: string, typed = password) =>
  await send(manager, 'POST', '/api/v1/session', { body: { name, password: typed } });

const cookieOf = ({ cookie }: Answer): string => cookie.split(';')[0] ?? '';

async function clientOf(manager: TestManager, name: string) {
  const { json } = await send(manager, 'POST', '/api/v1/session', { body: { name, password, as: 'token' } });
  return manager.clientOf(String(json['token']));
}

describe('sessions', () => {
  test('open with the password, say who it is, and end', async () => {
    await using manager = await openManager();
    const { id } = await makeUser(manager, 'anna', 'operator');
    const opened = await login(manager, 'anna');
    expect(opened).toMatchObject({ status: 201, json: { kind: 'session', name: 'anna', user_id: id } });
    expect(opened.cookie).toMatch(/^sbox-dev=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=43200$/);
    const headers = { cookie: cookieOf(opened), origin: manager.manager.url };
    expect((await send(manager, 'GET', '/api/v1/session', { headers })).json).toMatchObject({ name: 'anna' });
    expect((await send(manager, 'GET', '/api/v1/configs', { headers })).status).toBe(200);
    expect((await send(manager, 'GET', '/api/v1/users', { headers })).json['code']).toBe('auth.forbidden');
    expect((await manager.client.users.get({ params: { id: 'anna' } })).sessions).toBe(1);
    const closed = await send(manager, 'DELETE', '/api/v1/session', { headers });
    expect(closed.status).toBe(204);
    expect(closed.cookie).toMatch(/^sbox-dev=; .*Max-Age=0/);
    expect((await send(manager, 'GET', '/api/v1/session', { headers })).json['code']).toBe('auth.session-ended');
  });

  test('change nothing for pages of other sites, and yield to a token', async () => {
    await using manager = await openManager();
    await makeUser(manager, 'anna', 'admin');
    const cookie = cookieOf(await login(manager, 'anna'));
    const { token } = await manager.client.tokens.create({ body: { name: 'reader', permissions: ['status:read'] } });
    const body = { name: 'made', permissions: ['status:read'] };
    const make = async (headers: Record<string, string>) =>
      (await send(manager, 'POST', '/api/v1/tokens', { headers: { cookie, ...headers }, body })).json['code'] ?? 'made';
    const own = manager.manager.url;
    expect(await make({ origin: own })).toBe('made');
    expect(await make({ 'sec-fetch-site': 'same-origin' })).toBe('made');
    const foreign = [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: own.replace('http:', 'https:') },
      { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'none' },
      {},
    ];
    for (const headers of foreign) expect(await make(headers)).toBe('auth.foreign-origin');
    expect(await make({ origin: own, authorization: `Bearer ${token}` })).toBe('auth.forbidden');
    expect(await make({ authorization: `Bearer ${manager.adminToken}` })).toBe('made');
    const elsewhere = { headers: { origin: 'https://evil.example' }, body: { name: 'anna', password } };
    expect((await send(manager, 'POST', '/api/v1/session', elsewhere)).json['code']).toBe('auth.foreign-origin');
  });

  test('end when the role, the password or the admission of the person changes', async () => {
    await using manager = await openManager();
    const { client } = manager;
    await makeUser(manager, 'anna', 'viewer');
    const [params, headers] = [{ id: 'anna' }, { 'if-match': '*' }];
    const changes: (() => Promise<unknown>)[] = [
      async () => await client.users.update({ params, headers, body: { role: 'operator' } }),
      async () => await client.users.setPassword({ params, body: { password } }),
      async () => await client.users.update({ params, headers, body: { disabled: true } }),
    ];
    for (const change of changes) {
      const cookie = cookieOf(await login(manager, 'anna'));
      expect((await send(manager, 'GET', '/api/v1/session', { headers: { cookie } })).status).toBe(200);
      await change();
      expect((await send(manager, 'GET', '/api/v1/session', { headers: { cookie } })).status).toBe(401);
    }
    expect((await login(manager, 'anna')).json['code']).toBe('auth.login-failed');
    // What changes nothing about what the person may do leaves the session.
    await client.users.update({ params, headers, body: { disabled: false } });
    const cookie = cookieOf(await login(manager, 'anna'));
    await client.users.update({ params, headers, body: { display_name: 'Anna' } });
    expect((await send(manager, 'GET', '/api/v1/session', { headers: { cookie } })).status).toBe(200);
  });
});

test('over TLS the cookie is one that browsers protect', async () => {
  await using manager = await openManager({ listen: [{ address: '127.0.0.1:0', tls: 'on' }] });
  const ca = await readFile(manager.manager.caFile);
  const ask = async (method: string, where: string, headers: Record<string, string>, body?: unknown) =>
    await new Promise<{ status: number; cookie: string; text: string }>((resolve, reject) => {
      httpsRequest(`${manager.manager.url}${where}`, { ca, method, headers }, (response) => {
        let text = '';
        response.on('data', (chunk) => (text += String(chunk)));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, cookie: response.headers['set-cookie']?.[0] ?? '', text }),
        );
      })
        .on('error', reject)
        .end(body === undefined ? undefined : JSON.stringify(body));
    });
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${manager.adminToken}` };
  const made = await ask('POST', '/api/v1/users', headers, { name: 'anna', password, role: 'viewer' });
  expect(made.status).toBe(201);
  const { cookie } = await ask(
    'POST',
    '/api/v1/session',
    { 'content-type': 'application/json' },
    { name: 'anna', password },
  );
  expect(cookie).toMatch(/^__Host-sbox=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Max-Age=43200; Secure$/);
  const own = { cookie: cookie.split(';')[0] ?? '', origin: manager.manager.url };
  expect((await ask('GET', '/api/v1/session', own)).status).toBe(200);
  expect((await ask('DELETE', '/api/v1/session', { ...own, origin: 'https://evil.example' })).status).toBe(403);
  expect((await ask('DELETE', '/api/v1/session', own)).status).toBe(204);
});

describe('logging in', () => {
  test('is refused with the same words for every reason, and locks for a while after five failures', async () => {
    const clock = createFakeClock();
    await using manager = await openManager({}, { clock });
    await makeUser(manager, 'anna', 'viewer');
    const unknown = (await login(manager, 'nobody')).json;
    const wrong = (await login(manager, 'anna', 'not the password')).json;
    expect(unknown).toMatchObject({ code: 'auth.login-failed', status: 401 });
    expect({ ...wrong, instance: '' }).toEqual({ ...unknown, instance: '' });
    for (let failures = 1; failures < 5; failures += 1) await login(manager, 'anna', 'not the password');
    expect(await login(manager, 'anna')).toMatchObject({ status: 401 });
    const { locked_until } = await manager.client.users.get({ params: { id: 'anna' } });
    expect(locked_until).toBe('2026-01-01T00:00:30.000Z');
    await clock.advance(30_000);
    expect((await login(manager, 'anna', 'not the password')).status).toBe(401);
    await clock.advance(59_000);
    expect((await login(manager, 'anna')).status).toBe(401);
    await clock.advance(1000);
    expect((await login(manager, 'anna')).status).toBe(201);
    const { items } = await manager.client.events.list({ query: { type: 'session.' } });
    expect(items.map(({ type }) => type)).toEqual(['session.opened', ...Array(6).fill('session.refused')]);
    expect(JSON.stringify(items)).not.toContain('password');
  });

  test('many guesses at once are no more guesses', async () => {
    await using manager = await openManager();
    await makeUser(manager, 'anna', 'viewer');
    await Promise.all(Array.from({ length: 12 }, async () => await login(manager, 'anna', 'not the password')));
    const { items } = await manager.client.events.list({ query: { type: 'session.refused' } });
    expect(items).toHaveLength(5);
    expect((await login(manager, 'anna')).status).toBe(401);
    // Who sets a password unlocks.
    await manager.client.users.setPassword({ params: { id: 'anna' }, body: { password } });
    expect((await login(manager, 'anna')).status).toBe(201);
  });

  test('who guesses from one address keeps nobody out who comes from another', async () => {
    const still = createFakeClock();
    let laterMs = 0;
    // Only what time it is changes: nothing wakes that would have been done meanwhile.
    const clock = { ...still, now: () => still.now() + laterMs };
    await using manager = await openManager({ trusted_proxies: ['127.0.0.0/8'] }, { clock });
    await makeUser(manager, 'anna', 'admin');
    const from = async (address: string, typed: string) =>
      await send(manager, 'POST', '/api/v1/session', {
        headers: { 'x-forwarded-for': address, 'x-forwarded-proto': 'https' },
        body: { name: 'anna', password: typed, as: 'token' },
      });
    // A guess whenever the longest lock is over.
    for (let guesses = 0; guesses < 8; guesses += 1) {
      laterMs += 15 * 60_000;
      await from('192.0.2.1', 'not the password');
    }
    expect((await from('192.0.2.1', password)).status).toBe(401);
    expect((await from('198.51.100.7', password)).status).toBe(201);
    // What succeeds elsewhere is no help to who guesses.
    expect((await from('192.0.2.1', password)).status).toBe(401);
    // All of one /64 are one.
    for (let guesses = 1; guesses <= 5; guesses += 1) await from(`2001:db8::${guesses}`, 'not the password');
    expect((await from('2001:db8::99', password)).status).toBe(401);
    expect((await from('2001:db8:0:1::1', password)).status).toBe(201);
    laterMs += 86_400_000;
    expect((await from('192.0.2.1', 'not the password')).status).toBe(401);
    expect((await from('192.0.2.1', password)).status).toBe(201);
  });

  test('as a token: it is personal, and ends with the password, the role or the person', async () => {
    await using manager = await openManager();
    await makeUser(manager, 'anna', 'operator');
    const anna = await clientOf(manager, 'anna');
    expect(await anna.session.get()).toMatchObject({ kind: 'token', name: 'anna' });
    expect(await codeOf(anna.configs.list({}))).toBe('none');
    const [params, headers] = [{ id: 'anna' }, { 'if-match': '*' }];
    await manager.client.users.update({ params, headers, body: { role: 'deployer' } });
    // Of both roles it has what both hold.
    expect((await anna.session.get()).permissions).toEqual((await manager.client.roles.list()).items[0]?.permissions);
    await manager.client.users.update({ params, headers, body: { disabled: true } });
    expect(await codeOf(anna.session.get())).toBe('auth.invalid');
    await manager.client.users.update({ params, headers, body: { disabled: false } });
    expect(await codeOf(anna.session.get())).toBe('none');
    const typed = { current: password, password: 'another long password' };
    expect(await codeOf(anna.session.setPassword({ body: { ...typed, current: 'not the password' } }))).toBe(
      'auth.login-failed',
    );
    await anna.session.setPassword({ body: typed });
    expect(await codeOf(anna.session.get())).toBe('auth.invalid');
    expect((await login(manager, 'anna', typed.password)).status).toBe(201);
    expect(await codeOf(manager.client.session.close())).toBe('session.none');
  });
});

describe('users', () => {
  test('the last admin stays: not removed, not disabled, not lowered', async () => {
    await using manager = await openManager();
    const { users } = manager.client;
    await makeUser(manager, 'anna', 'admin');
    const [params, headers] = [{ id: 'anna' }, { 'if-match': '*' }];
    const attempts = [
      async () => await users.remove({ params, headers }),
      async () => await users.update({ params, headers, body: { disabled: true } }),
      async () => await users.update({ params, headers, body: { role: 'viewer' } }),
    ];
    for (const attempt of attempts) expect(await codeOf(attempt())).toBe('user.last-admin');
    await makeUser(manager, 'bert', 'admin');
    await users.update({ params: { id: 'bert' }, headers, body: { disabled: true } });
    for (const attempt of attempts) expect(await codeOf(attempt())).toBe('user.last-admin');
    await users.update({ params: { id: 'bert' }, headers, body: { disabled: false } });
    expect(await codeOf(users.remove({ params, headers }))).toBe('none');
  });

  test('nobody gives what they do not hold: no role, no password of who holds more, no token', async () => {
    await using manager = await openManager();
    for (const role of ['admin', 'operator', 'secadmin', 'viewer'] as const) await makeUser(manager, role, role);
    const { users, tokens } = await clientOf(manager, 'secadmin');
    const headers = { 'if-match': '*' };
    const update = async (id: string, body: { name?: string; role?: RoleName; disabled?: boolean }) =>
      await codeOf(users.update({ params: { id }, headers, body }));
    const forbidden = 'auth.forbidden';
    expect(await codeOf(users.create({ body: { name: 'x', password, role: 'operator' } }))).toBe(forbidden);
    expect(await codeOf(users.create({ body: { name: 'x', password, role: 'secadmin' } }))).toBe('none');
    expect(await update('secadmin', { role: 'admin' })).toBe(forbidden);
    expect(await update('viewer', { role: 'operator' })).toBe(forbidden);
    expect(await codeOf(users.setPassword({ params: { id: 'admin' }, body: { password } }))).toBe(forbidden);
    expect(await codeOf(users.setPassword({ params: { id: 'operator' }, body: { password } }))).toBe(forbidden);
    expect(await codeOf(users.setPassword({ params: { id: 'viewer' }, body: { password } }))).toBe('none');
    expect(await codeOf(tokens.create({ body: { name: 'x', role: 'operator' } }))).toBe(forbidden);
    expect(await codeOf(tokens.create({ body: { name: 'x', permissions: ['configs:deploy'] } }))).toBe(forbidden);
    expect(await codeOf(tokens.create({ body: { name: 'x', role: 'viewer' } }))).toBe('none');
    // Taking away needs no more than the right to write people; giving it back does.
    expect(await update('operator', { disabled: true })).toBe('none');
    expect(await update('operator', { role: 'admin' })).toBe(forbidden);
    expect(await update('operator', { disabled: false })).toBe(forbidden);
    expect(await update('operator', { role: 'viewer', disabled: false })).toBe('none');
    expect(await update('admin', { name: 'other' })).toBe(forbidden);
    expect(await update('viewer', { name: 'other' })).toBe('none');
  });

  test('are changed by who saw them as they are, and leave nothing behind', async () => {
    await using manager = await openManager();
    const { users, tokens, events } = manager.client;
    const made = await makeUser(manager, 'anna', 'admin');
    await makeUser(manager, 'bert', 'admin');
    expect(JSON.stringify(made)).not.toMatch(/password|scrypt/);
    expect(await codeOf(makeUser(manager, 'anna', 'viewer'))).toBe('user.exists');
    expect(await codeOf(users.create({ body: { name: 'c', password: 'short', role: 'viewer' } }))).toBe(
      'request.invalid',
    );
    const params = { id: made.id };
    const next = await users.update({ params, headers: { 'if-match': '"1"' }, body: { name: 'anne' } });
    expect(next).toMatchObject({ name: 'anne', revision: 2 });
    const stale = users.update({ params, headers: { 'if-match': '"1"' }, body: { name: 'anna' } });
    expect(await codeOf(stale)).toBe('precondition.failed');
    const anne = await clientOf(manager, 'anne');
    const own = await anne.tokens.create({ body: { name: 'own', role: 'viewer', personal: true } });
    const shared = await anne.tokens.create({ body: { name: 'program', role: 'viewer' } });
    expect([own.user_id, shared.user_id]).toEqual([made.id, null]);
    expect(await codeOf(tokens.create({ body: { name: 'x', role: 'viewer', personal: true } }))).toBe('session.none');
    await users.remove({ params, headers: { 'if-match': '*' } });
    expect(await codeOf(manager.clientOf(own.token).session.get())).toBe('auth.invalid');
    expect(await codeOf(manager.clientOf(shared.token).session.get())).toBe('none');
    const kept = (await tokens.list({})).items.map(({ name }) => name);
    expect(kept.toSorted()).toEqual(['admin', 'program']);
    const { items } = await events.list({ query: { type: 'user.' } });
    expect(items.map(({ type }) => type).toReversed()).toEqual([
      'user.created',
      'user.created',
      'user.changed',
      'user.removed',
    ]);
  });

  test('where there is an admin, a first token that was revoked stays away', async () => {
    await using manager = await openManager();
    await makeUser(manager, 'anna', 'admin');
    const [first] = (await manager.client.tokens.list({})).items;
    await manager.client.tokens.remove({ params: { id: first?.id ?? '' } });
    await manager.restart();
    const anna = await clientOf(manager, 'anna');
    expect((await anna.tokens.list({})).items.map(({ name }) => name)).toEqual(['login-anna']);
  });
});

test('tokens have a role or permissions, and show when they were used', async () => {
  const clock = createFakeClock();
  await using manager = await openManager({}, { clock });
  const { tokens } = manager.client;
  const body = { name: 'ci', role: 'deployer', ttl: '30d' } as const;
  const made = await tokens.create({ body });
  expect(made).toMatchObject({ role: 'deployer', permissions: [], expires_at: '2026-01-31T00:00:00.000Z' });
  for (const wrong of [{ name: 'x' }, { ...body, permissions: ['status:read'] }])
    expect(await codeOf(tokens.create({ body: wrong }))).toBe('request.invalid');
  expect((await manager.clientOf(made.token).session.get()).permissions).toContain('configs:deploy');
  const listed = (await tokens.list({})).items.find(({ name }) => name === 'ci');
  expect(listed).toMatchObject({ last_used_at: '2026-01-01T00:00:00.000Z', last4: made.last4 });
});

describe('an authenticator', () => {
  test('is asked for once a code of it was shown, takes no code twice, and can be lost', async () => {
    const clock = createFakeClock();
    await using manager = await openManager({}, { clock });
    await makeUser(manager, 'anna', 'viewer');
    const anna = await clientOf(manager, 'anna');
    const open = async (code?: string) =>
      await codeOf(
        manager.client.session.open({
          body: { name: 'anna', password, as: 'token', ...(code === undefined ? {} : { code }) },
        }),
      );
    expect(await codeOf(anna.session.startTotp({ body: { current: 'not the password' } }))).toBe('auth.login-failed');
    const { secret } = await anna.session.startTotp({ body: { current: password } });
    const codeNow = () => codeOfStep(decodeBase32(secret), Math.floor(clock.now() / 30_000));
    // Begun is not done: who gives up here can still log in.
    expect(await open()).toBe('none');
    expect(await codeOf(anna.session.confirmTotp({ body: { code: 'x' } }))).toBe('auth.login-failed');
    const { recovery_codes } = await anna.session.confirmTotp({ body: { code: codeNow() } });
    expect(recovery_codes).toHaveLength(10);
    expect(await codeOf(anna.session.startTotp({ body: { current: password } }))).toBe('totp.active');
    expect(await open()).toBe('auth.code-missing');
    expect(await open(codeNow())).toBe('auth.login-failed');
    await clock.advance(30_000);
    expect([await open(codeNow()), await open(codeNow())]).toEqual(['none', 'auth.login-failed']);
    expect([await open(recovery_codes[0]), await open(recovery_codes[0])]).toEqual(['none', 'auth.login-failed']);
    const user = await manager.client.users.get({ params: { id: 'anna' } });
    expect(user.totp).toBe(true);
    expect(JSON.stringify(user)).not.toContain(secret);
    await manager.client.users.removeTotp({ params: { id: 'anna' } });
    expect(await open()).toBe('none');
  });

  test('a wrong code counts like a wrong password', async () => {
    const clock = createFakeClock();
    await using manager = await openManager({}, { clock });
    await makeUser(manager, 'anna', 'viewer');
    const anna = await clientOf(manager, 'anna');
    const { secret } = await anna.session.startTotp({ body: { current: password } });
    const code = codeOfStep(decodeBase32(secret), Math.floor(clock.now() / 30_000));
    await anna.session.confirmTotp({ body: { code } });
    for (let failures = 0; failures < 5; failures += 1)
      await codeOf(manager.client.session.open({ body: { name: 'anna', password, code: 'wrong' } }));
    expect((await manager.client.users.get({ params: { id: 'anna' } })).locked_until).not.toBeNull();
  });
});
