import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { createFakeClock } from '@sbox/core';
import { createLogger } from '@sbox/daemon/log';
import { codeOf, createTransport, openManager, type TestManager } from './open-manager.ts';

const secret = 'example-password-0123456789';
const link = (name: string, host = 1) => `trojan://${secret}@192.0.2.${host}:443?sni=example.test#${name}`;
const links = (count: number) => Array.from({ length: count }, (_, index) => link(`N${index}`, index + 1)).join('\n');

interface Provider extends AsyncDisposable {
  readonly url: string;
  readonly asked: (string | undefined)[];
  answer: { status?: number; body: string; headers?: Record<string, string>; isSilent?: boolean };
}

/** A provider on loopback that answers what it is told to. */
async function openProvider(body: string): Promise<Provider> {
  const asked: (string | undefined)[] = [];
  const provider: { answer: Provider['answer'] } = { answer: { body } };
  const server = createServer((request, response) => {
    asked.push(request.headers['if-none-match']);
    const { status = 200, body: text, headers = {}, isSilent } = provider.answer;
    if (isSilent) return;
    const etag = headers['etag'];
    const isKnown = etag !== undefined && request.headers['if-none-match'] === etag;
    response.writeHead(isKnown ? 304 : status, headers).end(isKnown ? undefined : text);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return Object.assign(provider, {
    url: `http://127.0.0.1:${port}/secret-path?token=very-secret`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
}

const local = { fetch: { allow: ['127.0.0.0/8'], timeout: '2s' } };
const eventsOf = async ({ client }: TestManager, type: string) =>
  (await client.events.list({ query: { type } })).items.map((event) => event);

describe('fetching', () => {
  test('makes a snapshot of what changed, and none of what did not', async () => {
    await using provider = await openProvider(links(3));
    await using manager = await openManager(local);
    const { client } = manager;
    provider.answer.headers = {
      etag: '"one"',
      'subscription-userinfo': 'upload=1; download=2; total=1000; expire=1893456000',
      'profile-title': 'base64:VGhlIHBsYW4=',
      'profile-web-page-url': 'https://plan.example.test/',
    };
    const added = await client.subscriptions.add({ body: { name: 'p', source: { type: 'url', url: provider.url } } });
    expect(added).toMatchObject({
      version: 1,
      nodes: 3,
      usage: { upload: 1, download: 2, total: 1000, expire_at: '2030-01-01T00:00:00.000Z' },
      about: { title: 'The plan', web_page_url: 'https://plan.example.test/' },
    });
    expect(added.next_fetch_at).not.toBeNull();
    const refresh = async () => await client.subscriptions.refresh({ params: { id: 'p' } });
    expect(await refresh()).toMatchObject({ outcome: 'not-modified', status: 304, version: 1 });
    provider.answer.headers = { etag: '"two"' };
    expect(await refresh()).toMatchObject({ outcome: 'unchanged', version: 1 });
    provider.answer = { body: links(4) };
    expect(await refresh()).toMatchObject({ outcome: 'changed', version: 2 });
    expect(await client.subscriptions.diff({ params: { id: 'p', version: 2 } })).toMatchObject({
      from: 1,
      to: 2,
      added: [{ tag: 'N3', password: '***' }],
      removed: [],
      unchanged: 3,
    });
    expect(provider.asked).toEqual([undefined, '"one"', '"one"', '"two"']);
    const { items } = await client.subscriptions.fetches({ params: { id: 'p' }, query: { limit: 2 } });
    expect(items.map(({ outcome }) => outcome)).toEqual(['changed', 'unchanged']);
  });

  test('keeps the last good version when something else comes, and says why', async () => {
    await using provider = await openProvider(links(10));
    await using manager = await openManager(local);
    const { client } = manager;
    await client.subscriptions.add({ body: { name: 'p', source: { type: 'url', url: provider.url } } });
    const bad: [Provider['answer'], string, string][] = [
      [{ body: '<!doctype html><title>log in</title>' }, 'failed', 'subscription.html'],
      [{ body: '' }, 'failed', 'subscription.empty'],
      [{ status: 404, body: 'gone' }, 'failed', 'fetch.status'],
      [{ body: links(4) }, 'quarantined', 'subscription.quarantined'],
      [{ body: 'trojan://@:0#x\n' }, 'quarantined', 'subscription.quarantined'],
    ];
    for (const [answer, outcome, code] of bad) {
      provider.answer = answer;
      const fetch = await client.subscriptions.refresh({ params: { id: 'p' } });
      expect(fetch).toMatchObject({ outcome, code, version: 1 });
      expect(fetch.detail).not.toContain('secret-path');
    }
    expect(await client.subscriptions.get({ params: { id: 'p' } })).toMatchObject({ version: 1, nodes: 10 });
    expect(await eventsOf(manager, 'subscription.fetch-failed')).toHaveLength(3);
    expect((await eventsOf(manager, 'subscription.quarantined')).map(({ data }) => data)).toMatchObject([
      { nodes: 0, last_nodes: 10 },
      { nodes: 4, last_nodes: 10 },
    ]);
    provider.answer = { body: links(4), headers: { etag: '"few"' } };
    expect(await client.subscriptions.refresh({ params: { id: 'p' } })).toMatchObject({ outcome: 'quarantined' });
    // The validator of what was set aside must not hide it.
    expect(await client.subscriptions.refresh({ params: { id: 'p' }, query: { accept: true } })).toMatchObject({
      outcome: 'changed',
      version: 2,
    });
  });

  test('of an address that is not allowed does not happen', async () => {
    await using provider = await openProvider(links(1));
    await using manager = await openManager();
    const { client } = manager;
    const added = await client.subscriptions.add({ body: { name: 'p', source: { type: 'url', url: provider.url } } });
    expect(added).toMatchObject({ version: null, last_fetch: { outcome: 'failed', code: 'fetch.blocked' } });
    expect(provider.asked).toEqual([]);
    expect(await codeOf(client.subscriptions.nodes({ params: { id: 'p' } }))).toBe('subscription.version-not-found');
  });

  test.each(['127.0.0.1', 'localhost', '127.1'])('of the manager itself at %s does not happen', async (host) => {
    await using manager = await openManager({ fetch: { allow: ['127.0.0.0/8', '::1/128'], timeout: '2s' } });
    const url = `http://${host}:${new URL(manager.manager.url).port}/healthz`;
    const added = await manager.client.subscriptions.add({ body: { name: 'p', source: { type: 'url', url } } });
    expect(added.last_fetch).toMatchObject({ code: 'fetch.blocked' });
  });

  test('of a source that was replaced meanwhile does not stand in for that of the new one', async () => {
    await using provider = await openProvider(links(3));
    await using manager = await openManager(local);
    const { client } = manager;
    const params = { id: 'p' };
    await client.subscriptions.add({ body: { name: 'p', source: { type: 'url', url: provider.url } } });
    provider.answer.isSilent = true;
    const old = client.subscriptions.refresh({ params });
    while (provider.asked.length < 2) await new Promise((resolve) => setImmediate(resolve));
    const source = { type: 'inline' as const, text: links(5) };
    const written = await client.subscriptions.update({ params, headers: { 'if-match': '*' }, body: { source } });
    expect(await old).toMatchObject({ outcome: 'failed', code: 'precondition.failed' });
    expect(written).toMatchObject({ version: 2, nodes: 5, last_fetch: { outcome: 'changed' } });
  });

  test('comes by itself when it is due', async () => {
    await using provider = await openProvider(links(1));
    const clock = createFakeClock(Date.now());
    await using manager = await openManager(local, { clock, random: () => 0.5 });
    const { client } = manager;
    const source = { type: 'url' as const, url: provider.url };
    await client.subscriptions.add({ body: { name: 'p', source, refresh_every: '10m' } });
    provider.answer.body = links(2);
    const version = async () => (await client.subscriptions.get({ params: { id: 'p' } })).version;
    await clock.advance(599_000);
    expect(await version()).toBe(1);
    for (let turn = 0; turn < 200 && (await version()) === 1; turn += 1) await clock.advance(1000);
    expect(await version()).toBe(2);
  });
});

describe('secrets', () => {
  test('are in no answer, event or log unless they are asked for with permission', async () => {
    const lines: string[] = [];
    const log = createLogger((record) => lines.push(JSON.stringify(record)), 'debug');
    await using provider = await openProvider(links(2));
    await using manager = await openManager(local, { log });
    const { client } = manager;
    const source = { type: 'url' as const, url: provider.url, headers: { authorization: 'Basic c2VjcmV0' } };
    const params = { id: 'p' };
    const seen: unknown[] = [await client.subscriptions.add({ body: { name: 'p', source } })];
    seen.push(await client.subscriptions.nodes({ params }), await client.subscriptions.list({}));
    seen.push(
      await client.subscriptions.get({ params }),
      await client.configs.create({ body: { name: 'c', subscriptions: ['p'] } }),
    );
    provider.answer = { status: 500, body: secret };
    seen.push(await client.subscriptions.refresh({ params }), await client.events.list({}));
    seen.push(await client.configs.diff({ params: { id: 'c', version: 1 } }));
    seen.push(await client.configs.validate({ params: { id: 'c' } }));
    const text = `${JSON.stringify(seen)}${lines.join('')}`;
    for (const word of [secret, 'secret-path', 'very-secret', 'c2VjcmV0', manager.adminToken])
      expect(text).not.toContain(word);

    const revealed = await client.subscriptions.get({ params, query: { reveal: true } });
    expect(revealed.source).toEqual(source);
    expect(JSON.stringify(await client.subscriptions.nodes({ params, query: { reveal: true } }))).toContain(secret);
    const { token } = await client.tokens.create({ body: { name: 'reader', permissions: ['subscriptions:read'] } });
    const reader = manager.clientOf(token);
    expect((await reader.subscriptions.get({ params })).source).toMatchObject({ type: 'url' });
    expect(await codeOf(reader.subscriptions.get({ params, query: { reveal: true } }))).toBe('auth.forbidden');
    expect(await codeOf(reader.configs.export({ params: { id: 'c' } }))).toBe('auth.forbidden');
  });

  test.each(['a b?token=very-secret', 'a"very-secret', 'a\tvery-secret', 'a#"very-secret'])(
    'in the address %j are not shown',
    async (rest) => {
      await using manager = await openManager();
      const source = { type: 'url' as const, url: `https://user:very-secret@127.0.0.1/${rest}` };
      const shown = await manager.client.subscriptions.add({ body: { name: 'p', source } });
      expect(shown.source).toEqual({ type: 'url', url: 'https://127.0.0.1/***' });
      expect(JSON.stringify(await manager.client.events.list({}))).not.toContain('very-secret');
    },
  );

  test('are not lost when what was shown is sent back', async () => {
    await using manager = await openManager();
    const { client } = manager;
    await client.subscriptions.add({ body: { name: 'p', source: { type: 'inline', text: links(1) } } });
    const params = { id: 'p' };
    const headers = { 'if-match': '*' };
    const { name, source } = await client.subscriptions.get({ params });
    expect(source).toEqual({ type: 'inline', text: '***' });
    await client.subscriptions.replace({ params, headers, body: { name, source, min_share: 0.1 } });
    expect(await client.subscriptions.get({ params, query: { reveal: true } })).toMatchObject({
      source: { text: links(1) },
      min_share: 0.1,
      version: 1,
    });
    const torn = { type: 'url' as const, url: 'https://example.test/***' };
    expect(await codeOf(client.subscriptions.update({ params, headers, body: { source: torn } }))).toBe(
      'request.invalid',
    );
  });

  test('lie in files that only their owner can read', async () => {
    await using manager = await openManager();
    const data = path.join(manager.directory, 'data');
    const modes = { '': 0o700, 'sbox.db': 0o600, 'sbox.db-wal': 0o600, 'admin-token': 0o600, 'keys/root.pem': 0o600 };
    for (const [file, mode] of Object.entries(modes))
      expect([file, (await stat(path.join(data, file))).mode & 0o777]).toEqual([file, mode]);
    expect(await readFile(path.join(data, 'admin-token'), 'utf8')).toMatch(/^sbox_pat_/);
  });
});

describe('writing', () => {
  test('needs the revision that was read', async () => {
    await using manager = await openManager();
    const { client } = manager;
    const source = { type: 'inline' as const, text: links(1) };
    const params = { id: 'p' };
    expect(await client.subscriptions.add({ body: { name: 'p', source } })).toMatchObject({ revision: 1 });
    const update = async (ifMatch: string) =>
      await client.subscriptions.update({ params, headers: { 'if-match': ifMatch }, body: { refresh_every: '2h' } });
    expect(await update('"1"')).toMatchObject({ revision: 2, refresh_every: '2h', min_share: 0.5 });
    expect(await codeOf(update('"1"'))).toBe('precondition.failed');
    expect(await codeOf(client.subscriptions.remove({ params, headers: { 'if-match': '"1"' } }))).toBe(
      'precondition.failed',
    );
    const send = createTransport(manager.manager.url, () => ({ authorization: `Bearer ${manager.adminToken}` }));
    const request = {
      method: 'DELETE',
      path: '/api/v1/subscriptions/p',
      headers: {},
      body: undefined,
      signal: undefined,
    };
    expect((await send(request)).status).toBe(428);
    await client.subscriptions.remove({ params, headers: { 'if-match': '"2"' } });
    expect(await codeOf(client.subscriptions.get({ params }))).toBe('subscription.not-found');
  });

  test('with an Idempotency-Key happens once, however often it is sent', async () => {
    await using manager = await openManager();
    const { client } = manager;
    const body = { name: 'p', source: { type: 'inline' as const, text: links(1) } };
    const add = async (given: typeof body) =>
      await client.subscriptions.add({ headers: { 'idempotency-key': 'one' }, body: given });
    const answers = await Promise.all([add(body), add(body), add(body)]);
    expect(new Set(answers.map(({ id }) => id)).size).toBe(1);
    await manager.restart();
    expect((await add(body)).id).toBe(answers[0]?.id);
    expect(await codeOf(add({ ...body, name: 'q' }))).toBe('request.idempotency-mismatch');
    expect(await codeOf(client.subscriptions.add({ body }))).toBe('subscription.exists');
  });

  test('cannot take a subscription away from a config, and pinning brings an old snapshot back', async () => {
    await using manager = await openManager();
    const { client } = manager;
    const params = { id: 'p' };
    const headers = { 'if-match': '*' };
    await client.subscriptions.add({ body: { name: 'p', source: { type: 'inline', text: links(2) } } });
    await client.configs.create({ body: { name: 'c', subscriptions: ['p'] } });
    expect(await codeOf(client.subscriptions.remove({ params, headers }))).toBe('subscription.in-use');
    await client.subscriptions.update({ params, headers, body: { source: { type: 'inline', text: links(3) } } });
    expect(await client.subscriptions.nodes({ params })).toMatchObject({ version: 2 });
    await client.subscriptions.pin({ params, body: { version: 1 } });
    expect((await client.subscriptions.nodes({ params })).items).toHaveLength(2);
    const { version } = await client.configs.generate({ params: { id: 'c' }, body: {} });
    expect(version.snapshots).toMatchObject([{ version: 1 }]);
    await client.subscriptions.pin({ params, body: { version: null } });
    expect(await client.subscriptions.nodes({ params })).toMatchObject({ version: 2 });
    expect(await codeOf(client.subscriptions.pin({ params, body: { version: 9 } }))).toBe(
      'subscription.version-not-found',
    );
  });
});

test('lists come in pages that miss nothing', async () => {
  await using manager = await openManager();
  const { client } = manager;
  for (const name of ['c', 'a', 'e', 'b', 'd'])
    await client.subscriptions.add({ body: { name, source: { type: 'inline', text: links(1) } } });
  const names: string[] = [];
  let cursor: string | null | undefined;
  do {
    const page = await client.subscriptions.list({ query: { limit: 2, ...(cursor ? { cursor } : {}) } });
    names.push(...page.items.map(({ name }) => name));
    cursor = page.next_cursor;
  } while (cursor);
  expect(names).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(await codeOf(client.subscriptions.list({ query: { cursor: 'nonsense' } }))).toBe('request.invalid');
});
