import { describe, expect, test } from '@jest/globals';
import { createFakeClock, type ProblemError } from '@sbox/core';
import { codeOf, joinAgent, openManager } from './open-manager.ts';
import { any, exported, newest, openHome, set } from './settings-home.ts';

describe('values of a scope', () => {
  test('are written, read, changed, compared and brought back', async () => {
    await using manager = await openHome();
    const { settings } = manager.client;
    const params = { scope: 'labels:region in (us,eu), role==edge' };
    const scope = 'labels:region in (eu,us),role=edge';
    expect(await settings.get({ params })).toMatchObject({ scope, values: {}, version: 0, revision: 0 });
    const first = await settings.replace({
      params,
      headers: { 'if-match': '"0"' },
      body: { values: { log_level: 'info', 'urltest.interval': '1m' }, message: 'edges' },
    });
    expect(first).toMatchObject({ scope, version: 1, author: 'admin', message: 'edges' });
    const stale = settings.replace({ params, headers: { 'if-match': '"0"' }, body: { values: {} } });
    expect(await codeOf(stale)).toBe('precondition.failed');
    const second = await set(manager, scope, { log_level: null, watch: '5s' });
    expect(second).toMatchObject({ values: { 'urltest.interval': '1m', watch: '5s' }, version: 2 });
    // The same again is no change.
    expect(await set(manager, scope, { watch: '5s' })).toMatchObject({ version: 2, configs: [] });
    expect(await settings.diff({ params: { scope, version: '2' }, query: {} })).toEqual({
      scope,
      from: 1,
      to: 2,
      changes: [
        { key: 'log_level', before: 'info', after: null },
        { key: 'watch', before: null, after: '5s' },
      ],
    });
    const back = await settings.rollback({ params, body: { version: 1 } });
    expect(back).toMatchObject({ values: { log_level: 'info', 'urltest.interval': '1m' }, version: 3 });
    const { items } = await settings.versions({ params, query: {} });
    expect(items.map(({ version, changed, message }) => [version, changed, message])).toEqual([
      [3, ['log_level', 'watch'], 'version 1 again'],
      [2, ['log_level', 'watch'], ''],
      [1, ['log_level', 'urltest.interval'], 'edges'],
    ]);
    expect((await settings.list({ query: {} })).items.map((layer) => layer.scope)).toEqual([scope]);
    await settings.remove({ params, headers: { 'if-match': '"3"' } });
    expect((await settings.list({ query: {} })).items).toEqual([]);
    expect(await settings.get({ params })).toMatchObject({ values: {}, version: 4 });
    expect(await codeOf(settings.rollback({ params, body: { version: 9 } }))).toBe('settings.version-not-found');
    expect(await codeOf(settings.diff({ params: { scope, version: '9' }, query: {} }))).toBe(
      'settings.version-not-found',
    );
  });

  test.each([
    [{ log_level: 'loud' }, /global log_level: /],
    [{ loglevel: 'info' }, /global loglevel: there is no such setting/],
    [{ 'urltest.every': '1m' }, /there is no such setting/],
    [{ 'probe.urls': [] }, /global probe.urls: /],
    [{ 'probe.timeout': '2m' }, /must be from 1ms to 60s/],
    [{ inbounds: [{ listen_port: 0 }] }, /0\.listen_port/],
    [{ 'params.nonsense': 1 }, /no template has such a parameter/],
    [{ 'params.port': 'x' }, /params.port: .*must be/],
  ])('%j is refused with its path, and the old stays', async (values, words) => {
    await using manager = await openHome();
    await set(manager, 'global', { log_level: 'info' });
    const refused = set(manager, 'global', values);
    await expect(refused).rejects.toThrow(words);
    expect(await codeOf(refused)).toBe('settings.invalid-value');
    const { values: kept, version } = await manager.client.settings.get({ params: { scope: 'global' } });
    expect([kept, version]).toEqual([{ log_level: 'info' }, 1]);
    expect((await manager.client.configs.get({ params: { id: 'home' } })).version).toBe(2);
  });

  test.each(['globals', 'keys', 'labels:', 'server:', 'config:home'])('%s is no scope', async (scope) => {
    await using manager = await openManager();
    const answer = manager.client.settings.replace({ params: { scope }, headers: any, body: { values: {} } });
    expect(['request.invalid', 'route.method-not-allowed', 'route.not-found']).toContain(await codeOf(answer));
  });
});

describe('a change', () => {
  test('makes versions only of configs that get something else by it', async () => {
    await using manager = await openHome();
    const { client } = manager;
    await client.configs.create({
      body: { name: 'own-level', subscriptions: ['demo'], settings: { log_level: 'error' } },
    });
    await client.configs.create({
      body: { name: 'templated', subscriptions: ['demo'], template: { name: 'mixed', params: { port: 2081 } } },
    });
    const changed = await set(manager, 'global', { log_level: 'debug' }, 'a fault');
    expect(changed.configs).toEqual([{ name: 'home', version: 2 }]);
    expect(await newest(manager, 'home')).toMatchObject({
      version: 2,
      author: 'admin',
      message: 'settings of global: log_level (a fault)',
    });
    expect((await exported(manager, 'home')).log.level).toBe('debug');
    expect((await exported(manager, 'own-level')).log.level).toBe('error');
    // A value that is what everybody has already, and one that no config reads.
    expect((await set(manager, 'environment:prod', { log_level: 'debug' })).configs).toEqual([]);
    expect((await set(manager, 'service:xray', { log_level: 'info' })).configs).toEqual([]);
    // What every agent reads.
    const watched = await set(manager, 'global', { watch: '1s' });
    expect(watched.configs.map(({ name }) => name)).toEqual(['home', 'own-level', 'templated']);
    const { items } = await client.events.list({ query: { type: 'settings.changed', limit: 9 } });
    expect(items.map(({ data }) => data)).toContainEqual({ scope: 'global', keys: ['watch'], version: 2 });
    const entries = (await client.audit.list({ query: { limit: 50 } })).items;
    const entry = entries.find(({ action }) => action === 'updateSettings');
    expect(entry?.change.map(({ type }) => type)).toContain('config.version-created');
  });

  test('that would keep a config from being rendered is refused and names it; one with another fault is in nobody’s way', async () => {
    await using manager = await openHome();
    const { client } = manager;
    const twice = [
      { tag: 'a', listen_port: 2090 },
      { tag: 'a', listen_port: 2091 },
    ];
    const refused = set(manager, 'global', { inbounds: twice });
    expect(await codeOf(refused)).toBe('settings.breaks-config');
    await refused.catch((error: unknown) => {
      expect((error as ProblemError).message).toMatch(/^home: /);
      expect((error as ProblemError).details).toMatchObject({ config: 'home', code: 'config.invalid' });
    });
    expect((await client.settings.get({ params: { scope: 'global' } })).version).toBe(0);
    expect((await client.configs.get({ params: { id: 'home' } })).version).toBe(1);

    const tests = [{ name: 'blocked', destination: 'example.com:443', expect: { verdict: 'reject' as const } }];
    await client.configs.update({ params: { id: 'home' }, headers: any, body: { tests } });
    expect(await set(manager, 'global', { log_level: 'info' })).toMatchObject({
      configs: [],
      kept: [{ name: 'home', code: 'config.test-failed', detail: expect.stringContaining('blocked') }],
    });
    const { items } = await client.events.list({ query: { type: 'config.generate-failed', limit: 9 } });
    expect(items[0]?.data).toMatchObject({ code: 'config.test-failed' });
  });

  test('deploys where that is wanted, by the facts that a server was sent its version for', async () => {
    await using manager = await openHome();
    const { client } = manager;
    await client.configs.update({ params: { id: 'home' }, headers: any, body: { auto_deploy: true } });
    const [one, two] = [await joinAgent(manager, 'one'), await joinAgent(manager, 'two')];
    await client.configs.deploy({ params: { id: 'home' }, body: { servers: ['one', 'two'] } });
    await one.commit();
    await until(async () => (await codeOf(two.manifest())) === 'none');
    await two.commit();
    const before = (await two.manifest())?.manifest;
    await set(manager, 'server:one', { log_level: 'debug', watch: '1s', 'probe.need': 2 });
    await until(async () => (await one.manifest())?.manifest.units[0]?.config.version === 2);
    const order = (await one.commit()).units[0];
    expect(order).toMatchObject({ watch_ms: 1000, probe: { need: 2 } });
    await until(async () => (await two.manifest())?.manifest.units[0]?.config.version === 2);
    const other = (await two.manifest())?.manifest.units[0];
    // The same bytes and the same watch as before: only the version has another number.
    expect(other?.config.digest).toBe(before?.units[0]?.config.digest);
    expect(other).toMatchObject({ watch_ms: 10_000, probe: { need: 1 } });
    expect(order?.config.digest).not.toBe(other?.config.digest);
    expect((await exported(manager, 'home', 'one')).log.level).toBe('debug');
    expect((await exported(manager, 'home', 'two')).log.level).toBe('warn');
    expect((await exported(manager, 'home')).log.level).toBe('warn');
    const { renditions } = await newest(manager, 'home');
    expect(renditions.map(({ variant, differs }) => [variant === '', differs])).toContainEqual([
      false,
      { log_level: 'debug' },
    ]);
  });
});

const until = async (isSo: () => Promise<boolean>): Promise<void> => {
  const deadline = performance.now() + 10_000;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error('it never was so');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

test('a recipe keeps what was written and nothing else', async () => {
  await using manager = await openHome();
  const { configs } = manager.client;
  const params = { id: 'home' };
  expect((await configs.get({ params })).settings).toEqual({});
  const settings = { inbounds: [{ listen_port: 2085 }], probe: { timeout: '1s' } };
  const written = await configs.replace({
    params,
    headers: any,
    body: { name: 'home', subscriptions: ['demo'], settings },
  });
  expect(written.settings).toEqual(settings);
  expect((await configs.update({ params, headers: any, body: { settings: { log_level: 'info' } } })).settings).toEqual({
    ...settings,
    log_level: 'info',
  });
  const cleared = await configs.update({
    params,
    headers: any,
    body: { settings: { inbounds: null, log_level: null } },
  });
  expect(cleared.settings).toEqual({ probe: { timeout: '1s' } });
  const { items } = await manager.client.settings.effective({ query: { config: 'home' } });
  expect(items).toContainEqual({ key: 'probe.timeout', value: '1s', layer: 'recipe', scope: '' });
  expect(items).toContainEqual({ key: 'probe.need', value: 1, layer: 'default', scope: '' });
});

describe('questions', () => {
  test('what holds, where it stands, and why', async () => {
    await using manager = await openHome({ defaults: { log_level: 'info', urltest: { interval: '2m' } } });
    const { settings, servers } = manager.client;
    await joinAgent(manager, 'one');
    await servers.update({ params: { id: 'one' }, headers: any, body: { labels: { role: 'edge' } } });
    await set(manager, 'labels:role=edge', { log_level: 'error' });
    await set(manager, 'labels:role=edge,!canary', { log_level: 'debug' });
    await set(manager, 'server:two', { log_level: 'trace' });
    const query = { key: 'log_level', server: 'one', config: 'home' };
    const explained = await settings.explain({ query });
    expect(explained).toMatchObject({ value: 'debug', layer: 'labels', scope: 'labels:!canary,role=edge' });
    expect(explained.layers.map(({ layer, scope, wins, why }) => [layer, scope, wins, why])).toEqual([
      ['server', 'server:two', false, 'does not apply: it is one'],
      ['labels', 'labels:!canary,role=edge', true, 'wins'],
      [
        'labels',
        'labels:role=edge',
        false,
        'loses to labels:!canary,role=edge: more conditions, or later in the order of the text',
      ],
      ['file', '', false, 'loses to labels:!canary,role=edge'],
      ['default', '', false, 'loses to labels:!canary,role=edge'],
    ]);
    const { items } = await settings.effective({ query: { server: 'one' } });
    expect(items).toContainEqual({ key: 'urltest.interval', value: '2m', layer: 'file', scope: '' });
    expect(await codeOf(settings.effective({ query: { server: 'nope' } }))).toBe('server.not-found');
    expect(await codeOf(settings.explain({ query: { key: 'nope' } }))).toBe('settings.invalid-value');
    const keys = (await settings.keys({})).items;
    expect(keys).toContainEqual(
      expect.objectContaining({ key: 'log_level', default: 'warn', type: 'trace | debug | info | warn | error' }),
    );
    expect(keys).toContainEqual(
      expect.objectContaining({ key: 'params.port', templates: expect.arrayContaining(['mixed']) }),
    );
  });

  test('secrets are hidden, and what was hidden may be sent back', async () => {
    await using manager = await openHome();
    const { settings, templates } = manager.client;
    const template = {
      name: 'locked',
      engine: 'sing-box' as const,
      description: '',
      params: { password: { type: 'secret' as const, description: 'Of the port.' } },
      document: {
        inbounds: [{ type: 'mixed', listen_port: 2080, users: [{ username: 'u', password: '${password}' }] }],
        outbounds: [{ type: 'direct', tag: 'direct' }],
      },
    };
    await templates.create({ body: { template } });
    const params = { scope: 'global' };
    await set(manager, 'global', { 'params.password': 'hunter2' });
    await manager.client.configs.create({ body: { name: 'locked', template: { name: 'locked' } } });
    await set(manager, 'server:one', { 'params.password': 'other' });
    const shown = await settings.get({ params });
    expect(shown.values).toEqual({ 'params.password': '***' });
    expect((await settings.get({ params, query: { reveal: 'true' } })).values).toEqual({
      'params.password': 'hunter2',
    });
    await settings.replace({ params, headers: any, body: { values: { ...shown.values, log_level: 'info' } } });
    expect((await settings.get({ params, query: { reveal: 'true' } })).values['params.password']).toBe('hunter2');
    const asked = await Promise.all([
      settings.list({ query: {} }),
      settings.versions({ params, query: {} }),
      settings.diff({ params: { ...params, version: '1' }, query: {} }),
      settings.effective({ query: { config: 'locked' } }),
      settings.explain({ query: { key: 'params.password', config: 'locked' } }),
      manager.client.configs.versions({ params: { id: 'locked' }, query: {} }),
      manager.client.events.list({ query: { limit: 200 } }),
      manager.client.audit.list({ query: { limit: 200 } }),
    ]);
    expect(JSON.stringify(asked)).not.toMatch(/hunter2|other"/);
    expect(JSON.stringify(await exported(manager, 'locked'))).toContain('hunter2');
    const guess = settings.replace({
      params,
      headers: any,
      body: { values: { 'params.password': 'a***', watch: '***' } },
    });
    expect(await codeOf(guess)).toMatch(/request.invalid|settings.invalid-value/);
  });
});

describe('overrides', () => {
  test('win over everything, end by themselves, and outlive the manager', async () => {
    const clock = createFakeClock(Date.now());
    await using manager = await openHome({}, { clock });
    const { settings } = manager.client;
    await set(manager, 'server:one', { log_level: 'error' });
    const made = await settings.createOverride({
      body: { scope: 'server:one', key: 'log_level', value: 'debug', ttl: '10m', reason: 'a fault' },
    });
    expect(Date.parse(made.ends_at) - Date.parse(made.created_at)).toBe(600_000);
    await joinAgent(manager, 'one');
    const level = async () => {
      const { items } = await settings.effective({ query: { server: 'one' } });
      return items.find(({ key }) => key === 'log_level');
    };
    expect(await level()).toMatchObject({ value: 'debug', layer: 'override', scope: 'server:one' });
    const versions = async () => (await manager.client.configs.get({ params: { id: 'home' } })).version;
    expect(await versions()).toBe(3);
    await manager.restart();
    expect((await settings.listOverrides({ query: {} })).items).toEqual([made]);
    await clock.advance(599_000);
    expect(await level()).toMatchObject({ value: 'debug' });
    await clock.advance(2_000);
    await until(async () => (await level())?.value === 'error');
    expect((await settings.listOverrides({ query: {} })).items).toEqual([]);
    expect(await versions()).toBe(4);
    expect(await newest(manager, 'home')).toMatchObject({
      author: 'manager',
      message: 'override of log_level for server:one ended (a fault)',
    });
  });

  test('can be ended by hand, and are refused like other values', async () => {
    await using manager = await openHome();
    const { settings } = manager.client;
    const body = { scope: 'global', key: 'log_level', value: 'debug', ttl: '1h', reason: 'r' };
    const { id } = await settings.createOverride({ body });
    const twice = await settings.createOverride({ body: { ...body, value: 'trace' } });
    expect((await exported(manager, 'home')).log.level).toBe('trace');
    await settings.endOverride({ params: { id: twice.id } });
    expect((await exported(manager, 'home')).log.level).toBe('debug');
    await settings.endOverride({ params: { id } });
    expect((await exported(manager, 'home')).log.level).toBe('warn');
    expect(await codeOf(settings.endOverride({ params: { id } }))).toBe('settings.override-not-found');
    expect(await codeOf(settings.createOverride({ body: { ...body, value: 'loud' } }))).toBe('settings.invalid-value');
    expect(await codeOf(settings.createOverride({ body: { ...body, ttl: '1ms' } }))).toBe('request.invalid');
  });
});

test('what the manager is started with is a layer, and a change of it makes versions', async () => {
  await using manager = await openHome(
    { defaults: { log_level: 'info', watch: '1m' } },
    { environment: { SBOXMGR_DEFAULTS__LOG_LEVEL: 'error' } },
  );
  expect((await exported(manager, 'home')).log.level).toBe('error');
  await manager.restart();
  expect((await newest(manager, 'home')).version).toBe(1);
  await manager.restart({ defaults: { watch: '2m' } });
  expect(await newest(manager, 'home')).toMatchObject({ version: 2, message: expect.stringContaining('watch') });
  await expect(manager.restart({ defaults: { watch: 'never' } })).rejects.toThrow(/defaults.watch/);
  await manager.restart({ defaults: {} });
});

test('a deleted server takes its settings with it', async () => {
  await using manager = await openHome();
  const { client } = manager;
  await joinAgent(manager, 'one');
  // Its id means the same server, and one layer.
  const { id } = await client.servers.get({ params: { id: 'one' } });
  expect(await set(manager, `server:${id}`, { log_level: 'debug' })).toMatchObject({ scope: 'server:one', version: 1 });
  const found = await client.settings.explain({ query: { key: 'log_level', server: id } });
  expect(found).toMatchObject({ value: 'debug', scope: 'server:one' });
  const body = { scope: 'server:one', key: 'log_level', value: 'trace', ttl: '1h', reason: 'r' };
  await client.settings.createOverride({ body });
  const other = await client.settings.createOverride({ body: { ...body, scope: 'server:two' } });
  const before = (await newest(manager, 'home')).version;
  await client.servers.remove({ params: { id: 'one' }, headers: any });
  await until(async () => (await client.settings.list({ query: {} })).items.length === 0);
  // Both went in one change, which made one version.
  expect((await client.settings.listOverrides({ query: {} })).items).toEqual([other]);
  expect((await newest(manager, 'home')).version).toBe(before + 1);
  const { items } = await client.settings.versions({ params: { scope: 'server:one' }, query: {} });
  expect(items[0]).toMatchObject({ author: 'manager', message: 'server:one was deleted', values: {} });
});
