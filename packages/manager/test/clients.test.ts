import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from '@jest/globals';
import { sha256, sha256Text } from '@sbox/daemon/keys';
import { createLogger } from '@sbox/daemon/log';
import { parseSubscription, type Node } from '@sbox/formats';
import { ask, constant, nodeLinks, openServed } from './client-requests.ts';
import { codeOf } from './open-manager.ts';

const any = { 'if-match': '*' };
const phone = { params: { id: 'phone' } };
const read = (text: string): readonly Node[] => parseSubscription(Buffer.from(text), { sha256, sha256Text }).nodes;
const idsOf = (text: string): string[] => read(text).map(({ id }) => id);
const expected = idsOf(nodeLinks.join('\n'));

describe('what a program gets', () => {
  test.each([
    ['SFA/1.14.4 (567; sing-box 1.14.4)', 'application/json; charset=utf-8', 'sing-box'],
    ['sing-box 1.12.0', 'application/json; charset=utf-8', 'sing-box'],
    ['clash-verge/v2.0.0', 'text/yaml; charset=utf-8', 'mihomo'],
    ['Stash/2.4', 'text/yaml; charset=utf-8', 'stash'],
    ['ClashForAndroid/2.5', 'text/yaml; charset=utf-8', 'clash'],
    ['v2rayNG/1.8.29', 'text/plain; charset=utf-8', '(default)'],
    ['', 'text/plain; charset=utf-8', '(default)'],
  ])('by its name %j', async (userAgent, type, rule) => {
    await using manager = await openServed();
    const { status, headers } = await ask(manager.link, { 'user-agent': userAgent });
    expect([status, headers['content-type'], headers['x-sbox-rule']]).toEqual([200, type, rule]);
  });

  test('by the query before the path, and by both before the rules', async () => {
    await using manager = await openServed();
    const told = async (end: string, headers = { 'user-agent': 'SFA/1.14.4' }) => {
      const { headers: answered } = await ask(`${manager.link}${end}`, headers);
      return [answered['content-type']?.split(';')[0], answered['x-sbox-rule']];
    };
    expect(await told('/mihomo')).toEqual(['text/yaml', '(path)']);
    expect(await told('/mihomo?format=links')).toEqual(['text/plain', '(query)']);
    expect(await told('?format=base64&utm=whatever')).toEqual(['text/plain', '(query)']);
    expect((await ask(`${manager.link}/toml`)).status).toBe(422);
    expect((await ask(`${manager.link}?format=toml`)).status).toBe(422);
  });

  test.each(['links', 'base64', 'clash'])('%s has the same nodes when it is read again', async (format) => {
    await using manager = await openServed();
    const { text, headers } = await ask(`${manager.link}/${format}`);
    const ids = idsOf(text);
    const leftOut = Number(headers['x-sbox-left-out']);
    expect(leftOut).toBe(format === 'clash' ? 1 : 0);
    expect(ids).toEqual(expected.filter((id) => ids.includes(id)));
    expect(ids).toHaveLength(expected.length - leftOut);
  });

  test('clash can start with it: a group to choose from has every node', async () => {
    await using manager = await openServed();
    const { text } = await ask(`${manager.link}/clash`);
    expect(text).toContain(
      'proxy-groups:\n  - name: proxy\n    type: select\n    proxies:\n      - auto\n      - "Berlin"',
    );
    expect(text).toMatch(/rules:\n {2}- MATCH,proxy\n$/);
  });

  test.each(['1.12.23', '1.13.21', '1.14.4'])('sing-box %s takes what is written for it', async (version) => {
    await using manager = await openServed();
    const { text, headers } = await ask(manager.link, { 'user-agent': `SFA/${version} (1; sing-box ${version})` });
    const file = path.join(manager.directory, 'client.json');
    await writeFile(file, text);
    const program = path.join(import.meta.dirname, `../../../.tools/sing-box-${version}/sing-box`);
    await promisify(execFile)(program, ['check', '-c', file]);
    expect(headers['x-sbox-left-out']).toBe('1');
    const { outbounds } = JSON.parse(text) as { outbounds: readonly { readonly tag: string }[] };
    expect(outbounds.map(({ tag }) => tag)).toEqual(
      expect.arrayContaining(['Berlin', 'Paris', 'Tokyo', 'Oslo', 'Lima']),
    );
  });

  test('a program that is too old for any config of ours is told so', async () => {
    await using manager = await openServed();
    const { status, text } = await ask(manager.link, { 'user-agent': 'SFA/1.8.0' });
    expect([status, (JSON.parse(text) as { code: string }).code]).toEqual([406, 'sub.unsupported']);
    expect((await manager.client.clients.fetches(phone)).items[0]).toMatchObject({ outcome: 'sub.unsupported' });
  });

  test('rule-sets stay where they are: a client cannot fetch our files', async () => {
    const rules = JSON.stringify({ version: 1, rules: [{ domain: ['ads.example.test'] }] });
    const server = createServer((_, response) => void response.end(rules));
    await using stack = new AsyncDisposableStack();
    stack.defer(() => void server.close());
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
    });
    await using manager = await openServed({}, { fetch: { allow: ['127.0.0.0/8'] } });
    const url = `http://127.0.0.1:${port}/ads.json`;
    const value = [{ type: 'remote', tag: 'ads', format: 'source', url, download_detour: 'direct' }];
    const patch = [{ op: 'add' as const, path: '/route/rule_set', value }];
    const home = { params: { id: 'home' } };
    await manager.client.configs.update({ ...home, headers: any, body: { patch } });
    await manager.client.configs.generate({ ...home, body: {} });
    const { text } = await ask(`${manager.link}/sing-box`);
    const { route } = JSON.parse(text) as { route: { rule_set: unknown } };
    expect(route.rule_set).toMatchObject([{ type: 'remote', tag: 'ads', url }]);
  });

  test('the newest version, as soon as there is one', async () => {
    await using manager = await openServed();
    expect(idsOf((await ask(manager.link)).text)).toEqual(expected);
    const source = { type: 'inline' as const, text: nodeLinks.slice(0, 4).join('\n') };
    await manager.client.subscriptions.update({ params: { id: 'demo' }, headers: any, body: { source } });
    await manager.client.configs.generate({ params: { id: 'home' }, body: {} });
    expect(idsOf((await ask(manager.link)).text)).toEqual(expected.slice(0, 4));
  });

  test('the settings of its own layer, where it has one', async () => {
    await using manager = await openServed();
    const { clients, configs, settings } = manager.client;
    const { link } = await clients.create({ body: { name: 'tablet', config: 'home' } });
    await settings.replace({
      params: { scope: 'user:phone' },
      headers: any,
      body: { values: { log_level: 'debug', 'urltest.interval': '7m' } },
    });
    await configs.generate({ params: { id: 'home' }, body: {} });
    const levelOf = async (of: string | null) =>
      (JSON.parse((await ask(`${of}/sing-box`)).text) as { log: { level: string } }).log.level;
    expect([await levelOf(manager.link), await levelOf(link)]).toEqual(['debug', 'warn']);
    expect((await ask(`${manager.link}/clash`)).text).toContain('interval: 420\n');
    expect((await ask(`${link}/clash`)).text).toContain('interval: 180\n');
  });

  test('all that programs read beside the config', async () => {
    await using manager = await openServed({
      title: 'Мой план 🚀',
      expires_at: '2036-01-01T00:00:00.000Z',
      usage: { upload: 1, download: 2, total: 1000 },
      update_interval_hours: 6,
      support_url: 'tg://resolve?domain=help',
      web_page_url: 'https://plan.example.test/',
      announce: 'Back at noon',
    });
    const { headers } = await ask(manager.link);
    expect(headers).toMatchObject({
      'subscription-userinfo': 'upload=1; download=2; total=1000; expire=2082758400',
      'profile-title': `base64:${Buffer.from('Мой план 🚀').toString('base64')}`,
      'profile-update-interval': '6',
      'profile-web-page-url': 'https://plan.example.test/',
      'support-url': 'tg://resolve?domain=help',
      announce: `base64:${Buffer.from('Back at noon').toString('base64')}`,
      'content-disposition': `attachment; filename="phone.txt"; filename*=UTF-8''${encodeURIComponent('Мой план 🚀.txt')}`,
      'cache-control': 'private, no-cache',
      'x-sbox-left-out': '0',
    });
    await using plain = await openServed();
    expect((await ask(plain.link)).headers).not.toHaveProperty('subscription-userinfo');
  });

  test('nothing twice: its ETag gives 304, with the headers of now; HEAD gives no body', async () => {
    await using manager = await openServed();
    const { headers, text } = await ask(manager.link);
    const etag = headers['etag'] ?? '';
    await manager.client.clients.update({ ...phone, headers: any, body: { update_interval_hours: 1 } });
    const again = await ask(manager.link, { 'if-none-match': `"x", W/${etag}` });
    expect([again.status, again.text, again.headers['profile-update-interval']]).toEqual([304, '', '1']);
    const head = await ask(manager.link, {}, 'HEAD');
    expect([head.status, head.text, head.headers['etag']]).toEqual([200, '', etag]);
    expect(text).not.toBe('');
    expect((await ask(manager.link, {}, 'POST')).status).toBe(405);
  });
});

describe('a link', () => {
  test('that is not good says the same, whatever is the matter', async () => {
    await using manager = await openServed({ expires_at: '2100-01-01T00:00:00.000Z' });
    const { clients, configs } = manager.client;
    expect((await ask(manager.link)).status).toBe(200);
    const unknown = constant(await ask(manager.link.replace(/\w{27}$/, 'A'.repeat(27))));
    expect(unknown).toMatchObject({ status: 404 });
    expect(constant(await ask(manager.link.replace(/\w{27}$/, '%F0%9F%90%A3')))).toEqual(unknown);
    await clients.update({ ...phone, headers: any, body: { enabled: false } });
    expect(constant(await ask(manager.link))).toEqual(unknown);
    await clients.update({ ...phone, headers: any, body: { enabled: true } });
    expect((await ask(manager.link)).status).toBe(200);
    await clients.update({ ...phone, headers: any, body: { expires_at: '2026-01-01T00:00:00.000Z' } });
    expect(constant(await ask(manager.link))).toEqual(unknown);
    const silent = { type: 'url' as const, url: 'http://192.0.2.1:1/' };
    await manager.client.subscriptions.add({ body: { name: 'silent', source: silent } });
    await configs.create({ body: { name: 'empty', subscriptions: ['silent'] } });
    await clients.update({ ...phone, headers: any, body: { expires_at: null, config: 'empty' } });
    expect(constant(await ask(manager.link))).toEqual(unknown);
    const outcomes = (await clients.fetches(phone)).items.map(({ outcome }) => outcome);
    expect(outcomes).toEqual(['no-version', 'expired', 'served', 'disabled', 'served']);
  });

  test('can be shown again to who may see secrets, also after a restart, and made anew', async () => {
    await using manager = await openServed();
    const { link } = manager;
    expect(link).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/sub\/[0-9A-Za-z]{27}$/);
    expect(await manager.client.clients.get(phone)).toMatchObject({ link: null });
    await manager.restart();
    const shown = await manager.client.clients.get({ ...phone, query: { reveal: 'true' } });
    expect(shown.link?.split('/').at(-1)).toBe(link.split('/').at(-1));
    const rotated = await manager.client.clients.rotate(phone);
    const here = (old: string | null) => `${manager.manager.url}/sub/${old?.split('/').at(-1)}`;
    expect((await ask(here(link))).status).toBe(404);
    expect((await ask(here(rotated.link))).status).toBe(200);
    await rm(path.join(manager.directory, 'data/keys/client-links.key'));
    await manager.restart();
    expect((await ask(here(rotated.link))).status).toBe(200);
    const lost = manager.client.clients.get({ ...phone, query: { reveal: 'true' } });
    expect(await codeOf(lost)).toBe('client.link-lost');
  });

  test('is a secret: an operator makes clients, and sees no link of any', async () => {
    await using manager = await openServed();
    const { token } = await manager.client.tokens.create({ body: { name: 'op', role: 'operator' } });
    const operator = manager.clientOf(token).clients;
    expect(await operator.create({ body: { name: 'two', config: 'home' } })).toMatchObject({ link: null });
    expect(await operator.rotate(phone)).toMatchObject({ link: null });
    expect(await codeOf(operator.get({ ...phone, query: { reveal: 'true' } }))).toBe('auth.forbidden');
    const { token: viewer } = await manager.client.tokens.create({ body: { name: 'v', role: 'viewer' } });
    expect((await manager.clientOf(viewer).clients.list()).items.map(({ name }) => name)).toEqual(['phone', 'two']);
    expect(await codeOf(manager.clientOf(viewer).clients.rotate(phone))).toBe('auth.forbidden');
  });

  test('stands in no log, event, metric, audit entry or table', async () => {
    const logged: unknown[] = [];
    const log = createLogger((record) => logged.push(record), 'debug');
    await using manager = await openServed({}, {}, { log });
    const { client } = manager;
    const token = manager.link.split('/').at(-1) ?? '';
    await ask(manager.link);
    await ask(`${manager.link}/clash`);
    await ask(`${manager.link}/nothing/there`);
    await client.clients.create({ body: { name: 'again', config: 'home' }, headers: { 'idempotency-key': 'one' } });
    await client.clients.rotate({ ...phone, headers: { 'idempotency-key': 'two' } });
    const { bytes = new Uint8Array() } = await client.system.metrics();
    const metrics = Buffer.from(bytes).toString();
    expect(metrics).toContain('route="/sub/:token"');
    await manager.restart();
    const said = JSON.stringify([logged, metrics, await client.audit.list({}), await client.events.list({})]);
    const database = new DatabaseSync(path.join(manager.directory, 'data', 'sbox.db'), { readOnly: true });
    const tables = database.prepare("select name from sqlite_master where type = 'table'").all() as { name: string }[];
    const stored = JSON.stringify(tables.map(({ name }) => database.prepare(`select * from "${name}"`).all()));
    database.close();
    expect([said.includes(token), stored.includes(token), stored.includes('/sub/')]).toEqual([false, false, false]);
    expect(stored).toContain('again');
  });

  test('cannot be guessed without being slowed down', async () => {
    await using manager = await openServed({}, { limits: { sub: 3 } });
    const statuses = [];
    for (let at = 0; at < 5; at += 1)
      statuses.push((await ask(manager.link.replace(/\w{27}$/, String(at).repeat(27)))).status);
    expect(statuses).toEqual([404, 404, 404, 429, 429]);
  });

  test('can be served where nothing else is', async () => {
    const listen = [
      { address: '127.0.0.1:0', serves: ['api' as const] },
      { address: '127.0.0.1:0', serves: ['sub' as const] },
    ];
    await using manager = await openServed({}, { listen });
    const [api, sub] = manager.manager.listeners;
    expect(manager.link.startsWith(`${sub?.url}/sub/`)).toBe(true);
    expect((await ask(manager.link)).status).toBe(200);
    for (const where of ['/api/v1/clients', '/docs', '/openapi.json', '/metrics', '/agent/v1/enrol', '/'])
      expect([where, (await ask(`${sub?.url}${where}`)).status]).toEqual([where, 404]);
    expect((await ask(`${api?.url}${new URL(manager.link).pathname}`)).status).toBe(404);
    expect((await ask(`${sub?.url}/healthz`)).status).toBe(200);
  });

  test('names the address that the settings say', async () => {
    await using manager = await openServed({}, { clients: { url: 'https://sub.example.test' } });
    expect(manager.link).toMatch(/^https:\/\/sub\.example\.test\/sub\/\w{27}$/);
    await using named = await openServed({}, { names: ['proxy.example.test'] });
    expect(named.link).toMatch(/^http:\/\/proxy\.example\.test:\d+\/sub\/\w{27}$/);
  });
});

describe('a client', () => {
  test('keeps its config from being deleted, and its name to itself', async () => {
    await using manager = await openServed();
    const { clients, configs } = manager.client;
    expect(await codeOf(configs.remove({ params: { id: 'home' }, headers: any }))).toBe('config.in-use');
    expect(await codeOf(clients.create({ body: { name: 'phone', config: 'home' } }))).toBe('client.exists');
    expect(await codeOf(clients.create({ body: { name: 'two', config: 'none' } }))).toBe('config.not-found');
    expect(await codeOf(clients.update({ ...phone, headers: { 'if-match': '"9"' }, body: { note: 'x' } }))).toBe(
      'precondition.failed',
    );
    await clients.remove({ ...phone, headers: any });
    expect((await ask(manager.link)).status).toBe(404);
    await configs.remove({ params: { id: 'home' }, headers: any });
  });

  test('is listed with its devices and what it fetched last; the newest fifty fetches stay', async () => {
    await using manager = await openServed({ hwid: { mode: 'optional' } });
    await manager.client.clients.create({ body: { name: 'tablet', config: 'home' } });
    for (let at = 0; at < 60; at += 1) await ask(manager.link, { 'user-agent': `v2rayN/${at}`, 'x-hwid': 'one' });
    expect((await manager.client.clients.list()).items).toMatchObject([
      { name: 'phone', devices: 1, last_fetch: { user_agent: 'v2rayN/59', outcome: 'served' } },
      { name: 'tablet', devices: 0, last_fetch: null },
    ]);
    await manager.restart();
    const { items } = await manager.client.clients.fetches(phone);
    expect(items).toHaveLength(50);
    expect(items.at(-1)).toMatchObject({ user_agent: 'v2rayN/10', hwid: 'one', version: 1 });
  });
});
