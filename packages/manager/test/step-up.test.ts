import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from '@jest/globals';
import { createFakeClock } from '@sbox/core';
import { openManager, type TestManager } from './open-manager.ts';

const password = 'quite a long password';
const minute = 60_000;

async function ask({ manager }: TestManager, cookie: string, method: string, where: string, body?: unknown) {
  const answer = await fetch(`${manager.url}${where}`, {
    method,
    headers: { cookie, origin: manager.url, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  const given = answer.headers.get('set-cookie')?.split(';')[0];
  return {
    status: answer.status,
    json: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>,
    cookie: given ?? cookie,
  };
}

test('a session is asked once more before dangerous things, a token is not', async () => {
  const clock = createFakeClock();
  await using manager = await openManager({}, { clock });
  await manager.client.users.create({ body: { name: 'anna', password, role: 'admin' } });
  const { cookie: first } = await ask(manager, '', 'POST', '/api/v1/session', { name: 'anna', password });
  const make = async (cookie: string) =>
    await ask(manager, cookie, 'POST', '/api/v1/tokens', { name: 'made', role: 'viewer' });
  expect((await make(first)).status).toBe(201);
  await clock.advance(11 * minute);
  expect(await make(first)).toMatchObject({
    status: 403,
    json: { code: 'auth.step-up-required', details: { how: 'password', address: '/api/v1/session/step-up' } },
  });
  expect((await ask(manager, first, 'GET', '/api/v1/subscriptions/any?reveal=true')).json['code']).toBe(
    'auth.step-up-required',
  );
  expect((await ask(manager, first, 'GET', '/api/v1/users')).status).toBe(200);
  const wrong = await ask(manager, first, 'POST', '/api/v1/session/step-up', { password: 'wrong' });
  expect(wrong.json['code']).toBe('auth.login-failed');
  const { cookie: second, status } = await ask(manager, first, 'POST', '/api/v1/session/step-up', { password });
  expect([status, second === first]).toEqual([200, false]);
  expect((await make(second)).status).toBe(201);
  expect((await make(first)).json['code']).toBe('auth.session-ended');
  expect((await manager.client.tokens.create({ body: { name: 'made', role: 'viewer' } })).created_by).toMatch(/^tok_/);
  const { items } = await manager.client.tokens.list({ query: {} });
  const { id } = await manager.client.users.get({ params: { id: 'anna' } });
  expect(items.map(({ created_by }) => created_by)).toContain(id);
  expect((await manager.client.audit.list({ query: { action: 'stepUp', result: 'ok' } })).items).toHaveLength(1);
});

test('a session that has not shown itself lately makes links, and does not see them', async () => {
  const clock = createFakeClock();
  await using manager = await openManager({}, { clock });
  const { client } = manager;
  await client.users.create({ body: { name: 'anna', password, role: 'admin' } });
  const source = { type: 'inline' as const, text: 'trojan://example-password@192.0.2.1:443#One' };
  await client.subscriptions.add({ body: { name: 'demo', source } });
  await client.configs.create({ body: { name: 'home', subscriptions: ['demo'] } });
  const { cookie } = await ask(manager, '', 'POST', '/api/v1/session', { name: 'anna', password });
  const make = async (name: string) => await ask(manager, cookie, 'POST', '/api/v1/clients', { name, config: 'home' });
  expect((await make('phone')).json['link']).toMatch(/\/sub\//);
  await clock.advance(11 * minute);
  expect(await make('laptop')).toMatchObject({ status: 201, json: { link: null } });
  const rotated = await ask(manager, cookie, 'POST', '/api/v1/clients/phone/rotate');
  expect(rotated).toMatchObject({ status: 200, json: { link: null } });
});

test('logins leave a person 32 tokens', async () => {
  await using manager = await openManager();
  await manager.client.users.create({ body: { name: 'anna', password, role: 'viewer' } });
  const opened: string[] = [];
  for (let login = 0; login < 34; login += 1)
    opened.push((await manager.client.session.open({ body: { name: 'anna', password, as: 'token' } })).token ?? '');
  const { items } = await manager.client.tokens.list({ query: {} });
  expect(items.filter(({ name }) => name === 'login-anna')).toHaveLength(32);
  expect((await manager.clientOf(opened.at(-1) ?? '').session.get()).name).toBe('anna');
});

test('who may not see people does not see them in events', async () => {
  await using manager = await openManager();
  await manager.client.users.create({ body: { name: 'anna', password, role: 'viewer' } });
  const { token } = await manager.client.tokens.create({ body: { name: 'reader', role: 'viewer' } });
  await manager.client.joinTokens.create({ body: {} });
  const seen = async (client: TestManager['client']) =>
    (await client.events.list({ query: {} })).items.map(({ type }) => type);
  expect(await seen(manager.client)).toEqual(
    expect.arrayContaining(['user.created', 'token.created', 'join-token.created']),
  );
  expect(await seen(manager.clientOf(token))).toEqual(['join-token.created']);
});

test('a log that was cut or rewritten under the manager is told at the next start', async () => {
  await using manager = await openManager();
  const file = path.join(manager.directory, 'data/audit-head.json');
  const health = async () => (await manager.client.system.health()).checks.find(({ name }) => name === 'audit');
  await manager.client.tokens.create({ body: { name: 'one', role: 'viewer' } });
  await manager.client.tokens.create({ body: { name: 'two', role: 'viewer' } });
  await manager.restart();
  expect(await health()).toMatchObject({ ok: true });
  const kept = await readFile(file, 'utf8');
  expect(JSON.parse(kept)).toEqual({ seq: 2, hash: expect.stringMatching(/^[0-9a-f]{64}$/) });
  await manager.restart({}, async () => {
    const db = new DatabaseSync(path.join(manager.directory, 'data/sbox.db'));
    const triggers = db
      .prepare("select name from sqlite_master where type = 'trigger' and tbl_name like 'audit%'")
      .all();
    for (const { name } of triggers) db.exec(`drop trigger "${String(name)}"`);
    db.exec('delete from audit_entries where seq = 2; delete from audit_checkpoints');
    db.close();
    await Promise.resolve();
  });
  expect(await health()).toMatchObject({ ok: false, detail: expect.stringContaining('entry 2') });
  const { items } = await manager.client.events.list({ query: { type: 'audit.' } });
  expect(items[0]).toMatchObject({ type: 'audit.broken', data: { seq: 2, fault: 'cut-off' } });
  // The head stays: nothing is signed over it.
  await manager.restart();
  expect(await readFile(file, 'utf8')).toBe(kept);
  await manager.restart({}, async () => await writeFile(file, 'nonsense'));
  expect(await health()).toMatchObject({ ok: true });
});
