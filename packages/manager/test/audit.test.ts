import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from '@jest/globals';
import { createFakeClock, type FakeClock } from '@sbox/core';
import { operatorContract, type AuditEntry } from '@sbox/protocol';
import { sendDay } from './first-day.ts';
import { codeOf, createTransport, joinAgent, openManager, type TestManager } from './open-manager.ts';
import { verifyAudit } from './verify-audit.ts';

/** Operations that are no GET and yet change nothing when their examples are sent, and why. */
const withoutChange: Readonly<Record<string, string>> = {
  previewSubscription: 'reads a source, and keeps nothing of it',
  refreshSubscription: 'the content is what it was',
  replaceTemplate: 'it is the same document',
  generateConfig: 'the version would be the one that is there',
  validateConfig: 'a question',
  explainConfig: 'a question',
  explainClient: 'a question',
  testConfig: 'a question',
  previewUpgrade: 'a question',
  testPolicy: 'a question',
  refreshRuleSets: 'no config names a rule-set',
};

const inline = { type: 'inline' as const, text: 'trojan://example-password@192.0.2.1:443#One' };

async function entriesOf(manager: TestManager, query: Record<string, string> = {}): Promise<readonly AuditEntry[]> {
  return (await manager.client.audit.list({ query: { limit: 1000, ...query } })).items.toReversed();
}

/** Lets time pass second by second, so that what the manager writes to files comes to its end between. */
async function pass(clock: FakeClock, isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await clock.advance(1000);
}

/** Changes the database behind the back of a manager that is stopped, as who has the machine can. */
function tamper(manager: TestManager, ...statements: readonly string[]): void {
  const database = new DatabaseSync(path.join(manager.directory, 'data', 'sbox.db'));
  for (const statement of statements) database.exec(statement);
  database.close();
}

describe('the audit log', () => {
  test('has exactly one entry for each operation that changes something, and none for the others', async () => {
    await using manager = await openManager();
    const seen: [string, string[]][] = [];
    let last = 0;
    await sendDay(manager, async ({ id, method }) => {
      const all = await entriesOf(manager);
      const mine = all.filter(({ seq, action }) => seq > last && action === id);
      last = all.at(-1)?.seq ?? last;
      if (method !== 'get') seen.push([id, mine.map(({ result }) => result)]);
    });
    const wanted = seen.map(([id]) => [id, id in withoutChange ? [] : ['ok']]);
    expect(seen).toEqual(wanted);
    expect(Object.keys(withoutChange).filter((id) => !seen.some(([known]) => known === id))).toEqual([]);
    expect(await verifyAudit(manager.client)).toMatchObject({ ok: true, broken: null });
  });

  test('has one for these too when they do change something', async () => {
    await using manager = await openManager();
    const { client } = manager;
    await client.subscriptions.add({ body: { name: 'demo', source: inline } });
    await client.configs.create({ body: { name: 'home', subscriptions: ['demo'] } });
    const home = { params: { id: 'home' }, headers: { 'if-match': '*' } };
    await client.configs.update({ ...home, body: { settings: { log_level: 'error' } } });
    await client.configs.generate({ params: { id: 'home' }, body: {} });
    const { template } = operatorContract.templates.create.example.body;
    await client.templates.create({ body: { template } });
    const other = { template: { ...template, description: 'Another one.' } };
    await client.templates.replace({ params: { name: template.name }, headers: { 'if-match': '*' }, body: other });
    const told = (await entriesOf(manager)).map(({ action, change }) => [action, change.map(({ type }) => type)]);
    expect(told).toEqual([
      ['addSubscription', ['subscription.created']],
      ['createConfig', ['config.created', 'config.version-created']],
      ['updateConfig', ['config.edited']],
      ['generateConfig', ['config.version-created']],
      ['createTemplate', ['template.created']],
      ['replaceTemplate', ['template.changed']],
    ]);
  });

  test('says who did what, from where, and what became of it', async () => {
    await using manager = await openManager();
    await manager.client.subscriptions.add({ body: { name: 'demo', source: inline } });
    await manager.client.subscriptions.remove({ params: { id: 'demo' }, headers: { 'if-match': '*' } });
    const [, removed] = await entriesOf(manager, { actor: 'admin' });
    expect(removed).toMatchObject({
      v: 1,
      seq: 2,
      actor_type: 'token',
      actor_name: 'admin',
      token_id: expect.stringMatching(/^tok_/),
      ip: expect.stringMatching(/127\.0\.0\.1$/),
      request_id: expect.stringMatching(/^req_/),
      action: 'deleteSubscription',
      object: { id: 'demo' },
      result: 'ok',
      code: null,
      change: [{ type: 'subscription.deleted', data: { name: 'demo' } }],
    });
    expect(JSON.stringify(await entriesOf(manager))).not.toContain('example-password');
  });

  test('has what was denied and what failed, by code', async () => {
    await using manager = await openManager();
    const { token } = await manager.client.tokens.create({ body: { name: 'reader', permissions: ['status:read'] } });
    const reader = manager.clientOf(token);
    expect(await codeOf(reader.configs.list())).toBe('auth.forbidden');
    expect(await codeOf(reader.configs.create({ body: { name: 'x', subscriptions: [] } }))).toBe('auth.forbidden');
    const gone = { params: { id: 'gone' }, headers: { 'if-match': '*' } };
    expect(await codeOf(manager.client.configs.remove(gone))).toBe('config.not-found');
    expect(await codeOf(manager.client.configs.create({ body: { name: '' } }))).toBe('request.invalid');
    // Reads that find nothing say nothing about anybody.
    expect(await codeOf(manager.client.configs.get({ params: { id: 'gone' } }))).toBe('config.not-found');
    const said = (await entriesOf(manager)).map(({ actor_name, action, result, code }) => [
      actor_name,
      action,
      result,
      code,
    ]);
    expect(said).toEqual([
      ['admin', 'createToken', 'ok', null],
      ['reader', 'listConfigs', 'denied', 'auth.forbidden'],
      ['reader', 'createConfig', 'denied', 'auth.forbidden'],
      ['admin', 'deleteConfig', 'failed', 'config.not-found'],
      ['admin', 'createConfig', 'failed', 'request.invalid'],
    ]);
  });

  test('has one entry for a request that is sent again with its key', async () => {
    await using manager = await openManager();
    const given = { body: { name: 'demo', source: inline }, headers: { 'idempotency-key': 'once' } };
    await Promise.all([manager.client.subscriptions.add(given), manager.client.subscriptions.add(given)]);
    await manager.client.subscriptions.add(given);
    expect(await entriesOf(manager)).toHaveLength(1);
    const other = manager.client.subscriptions.add({ ...given, body: { ...given.body, name: 'other' } });
    expect(await codeOf(other)).toBe('request.idempotency-mismatch');
    expect((await entriesOf(manager)).slice(1)).toMatchObject([{ code: 'request.idempotency-mismatch' }]);
  });

  test('has people by their names: who came in, who was refused, what they did', async () => {
    await using manager = await openManager();
    const { name, password } = operatorContract.users.create.example.body;
    const { id } = await manager.client.users.create({ body: operatorContract.users.create.example.body });
    const login = async (typed: string) =>
      await manager.client.session.open({ body: { name, password: typed, as: 'token' } });
    expect(await codeOf(login(`${password}!`))).toBe('auth.login-failed');
    const { token = '' } = await login(password);
    await manager.clientOf(token).session.close();
    expect(await entriesOf(manager, { actor: id })).toHaveLength(2);
    const said = (await entriesOf(manager)).slice(1);
    expect(
      said.map(({ actor_type, actor_id, result, change: [event] }) => [actor_type, actor_id, result, event?.type]),
    ).toEqual([
      ['anonymous', 'anonymous', 'denied', 'session.refused'],
      ['session', id, 'ok', 'session.opened'],
      ['token', id, 'ok', 'session.closed'],
    ]);
    await manager.restart();
    // The refused login is there once, and not counted too.
    expect(await entriesOf(manager, { action: '*' })).toEqual([]);
  });

  test('has reads that show secrets, and those that were refused, but no others', async () => {
    await using manager = await openManager();
    await manager.client.subscriptions.add({ body: { name: 'demo', source: inline } });
    const { token } = await manager.client.tokens.create({
      body: { name: 'reader', permissions: ['subscriptions:read'] },
    });
    const demo = { params: { id: 'demo' } };
    await manager.client.subscriptions.get(demo);
    await manager.client.subscriptions.get({ ...demo, query: { reveal: 'true' } });
    await manager.client.subscriptions.nodes({ ...demo, query: { reveal: 'true' } });
    const revealed = manager.clientOf(token).subscriptions.get({ ...demo, query: { reveal: 'true' } });
    expect(await codeOf(revealed)).toBe('auth.forbidden');
    const reads = (await entriesOf(manager)).slice(2);
    expect(reads.map(({ actor_name, action, result }) => [actor_name, action, result])).toEqual([
      ['admin', 'getSubscription', 'ok'],
      ['admin', 'listNodes', 'ok'],
      ['reader', 'getSubscription', 'denied'],
    ]);
  });

  test('counts strangers and those over a limit, one entry a minute for each code, whatever they send', async () => {
    const clock = createFakeClock();
    await using manager = await openManager({}, { clock });
    const send = createTransport(manager.manager.url, () => ({}));
    for (let time = 0; time < 50; time += 1)
      await send({ method: 'GET', path: `/api/v1/configs/${time}`, headers: {}, body: undefined, signal: undefined });
    const wrong = createTransport(manager.manager.url, () => ({ authorization: 'Bearer x' }));
    await wrong({ method: 'DELETE', path: '/api/v1/tokens/x', headers: {}, body: undefined, signal: undefined });
    expect(await entriesOf(manager)).toEqual([]);
    await clock.advance(80_000);
    const counted = await entriesOf(manager);
    expect(counted).toHaveLength(2);
    expect(counted[0]).toMatchObject({
      actor_type: 'anonymous',
      action: '*',
      result: 'denied',
      code: 'auth.missing',
      object: { count: 50, actions: ['getConfig'] },
      change: [],
    });
    expect(counted[1]).toMatchObject({ code: 'auth.invalid', object: { count: 1, actions: ['deleteToken'] } });
    // Those of the last minute are written when the manager stops.
    await send({ method: 'GET', path: '/api/v1/configs', headers: {}, body: undefined, signal: undefined });
    await manager.restart();
    expect(await entriesOf(manager)).toHaveLength(3);
  });

  test('has sixty failures a minute of one caller at most; the rest is counted', async () => {
    await using manager = await openManager();
    for (let time = 0; time < 70; time += 1)
      await codeOf(manager.client.tokens.remove({ params: { id: `gone-${time}` } }));
    expect(await entriesOf(manager)).toHaveLength(60);
    await manager.restart();
    expect((await entriesOf(manager)).at(-1)).toMatchObject({
      action: '*',
      result: 'failed',
      code: 'token.not-found',
      object: { count: 10, actions: ['deleteToken'] },
    });
  });

  test('has what the manager decides by itself, and servers that join, under their own names', async () => {
    await using manager = await openManager();
    await manager.client.subscriptions.add({ body: { name: 'demo', source: inline } });
    await manager.client.configs.create({ body: { name: 'home', subscriptions: ['demo'] } });
    const agent = await joinAgent(manager, 'edge');
    await manager.client.configs.deploy({ params: { id: 'home' }, body: {} });
    await agent.refuse();
    const until = async (): Promise<void> => {
      while ((await entriesOf(manager, { actor: 'system' })).length === 0)
        await new Promise((resolve) => setImmediate(resolve));
    };
    await until();
    const halted = await entriesOf(manager, { actor: 'system' });
    expect(halted.map(({ actor_type, change }) => [actor_type, change.map(({ type }) => type)])).toEqual([
      ['system', ['deployment.halted']],
    ]);
    expect(await entriesOf(manager, { action: 'enrol' })).toMatchObject([
      { actor_type: 'server', actor_id: agent.id, result: 'ok', change: [{ type: 'server.joined' }] },
    ]);
    // What servers say all day is no entry.
    expect(await entriesOf(manager, { action: 'postStatus' })).toEqual([]);
  });

  test('is found by actor, action, result and time, page by page', async () => {
    const clock = createFakeClock();
    await using manager = await openManager({}, { clock });
    for (const name of ['one', 'two', 'three']) {
      await manager.client.joinTokens.create({ body: { name } });
      await clock.advance(60_000);
    }
    await codeOf(manager.client.joinTokens.remove({ params: { id: 'gone' } }));
    const seqs = async (query: Record<string, string>) => (await entriesOf(manager, query)).map(({ seq }) => seq);
    expect(await seqs({ action: 'createJoinToken' })).toEqual([1, 2, 3]);
    expect(await seqs({ result: 'failed' })).toEqual([4]);
    expect(await seqs({ since: '2026-01-01T00:01:00Z', until: '2026-01-01T00:03:00Z' })).toEqual([2, 3]);
    expect(await seqs({ actor: 'nobody' })).toEqual([]);
    const first = await manager.client.audit.list({ query: { limit: 3 } });
    const cursor = first.next_cursor ?? '';
    const next = await manager.client.audit.list({ query: { limit: 3, cursor } });
    expect([...first.items, ...next.items].map(({ seq }) => seq)).toEqual([4, 3, 2, 1]);
    expect(next.next_cursor).toBeNull();
    expect(await manager.client.audit.get({ params: { seq: 2 } })).toMatchObject({ seq: 2 });
    expect(await codeOf(manager.client.audit.get({ params: { seq: 5 } }))).toBe('audit-entry.not-found');
  });
});

describe('the chain', () => {
  test('is signed after five minutes, after a thousand entries, and when the manager stops', async () => {
    const clock = createFakeClock();
    await using manager = await openManager({}, { clock });
    const heads = async () => (await manager.client.audit.checkpoints()).items.map(({ seq }) => seq);
    const change = async () => await manager.client.joinTokens.create({ body: {} });
    await change();
    await pass(clock, async () => (await heads()).length > 0);
    expect(await heads()).toEqual([1]);
    await change();
    await clock.advance(200_000);
    expect(await heads()).toEqual([1]);
    await pass(clock, async () => (await heads()).length > 1);
    const [second, first] = (await manager.client.audit.checkpoints()).items;
    expect(Date.parse(second?.ts ?? '') - Date.parse(first?.ts ?? '')).toBeGreaterThanOrEqual(300_000);
    expect(await heads()).toEqual([2, 1]);
    await change();
    await manager.restart();
    expect(await heads()).toEqual([3, 2, 1]);
    expect(await verifyAudit(manager.client)).toMatchObject({ ok: true, checkpoints: 3, signed_to: 3, last: 3 });
  });

  test('cannot be changed in the database by mistake', async () => {
    await using manager = await openManager();
    await manager.client.joinTokens.create({ body: {} });
    await manager.restart({}, async () => {
      for (const table of ['audit_entries', 'audit_checkpoints']) {
        expect(() => tamper(manager, `update ${table} set ts = ''`)).toThrow(`${table} is only ever added to`);
        expect(() => tamper(manager, `delete from ${table}`)).toThrow(`${table} is only ever added to`);
      }
      await Promise.resolve();
    });
  });

  const off = ['update', 'delete'].map((change) => `drop trigger audit_entries_no_${change}`);
  test.each([
    ['changed', [`update audit_entries set actor_name = 'other' where seq = 2`], { seq: 2, fault: 'changed' }],
    ['removed', ['delete from audit_entries where seq = 2'], { seq: 2, fault: 'missing' }],
    ['cut off', ['delete from audit_entries where seq > 2'], { seq: 3, fault: 'cut-off' }],
  ])('shows that an entry was %s by somebody who has the database', async (_, statements, broken) => {
    await using manager = await openManager();
    for (const name of ['one', 'two', 'three']) await manager.client.joinTokens.create({ body: { name } });
    await manager.restart({}, async () => await Promise.resolve(tamper(manager, ...off, ...statements)));
    expect(await verifyAudit(manager.client)).toMatchObject({ ok: false, broken });
  });

  test('gets no signature over entries that do not follow, and health says so', async () => {
    const clock = createFakeClock();
    await using manager = await openManager({}, { clock });
    const checkpoints = async () => (await manager.client.audit.checkpoints()).items.map(({ seq }) => seq);
    await manager.client.joinTokens.create({ body: {} });
    await pass(clock, async () => (await checkpoints()).length > 0);
    await manager.client.joinTokens.create({ body: {} });
    // Under a manager that runs, before the second entry is signed.
    tamper(manager, ...off, `update audit_entries set actor_name = 'other' where seq = 2`);
    await pass(clock, async () => !(await manager.client.system.health()).ok);
    expect(await checkpoints()).toEqual([1]);
    const { checks } = await manager.client.system.health();
    expect(checks.find(({ name }) => name === 'audit')).toMatchObject({ ok: false });
  });
});
