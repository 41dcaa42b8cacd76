import path from 'node:path';
import { expect, test } from '@jest/globals';
import { codeOf, openManager, type TestManager } from './open-manager.ts';

const engine = { engine: { path: path.join(import.meta.dirname, '../../../.tools/bin/sing-box') } };
const params = { id: 'home' };
const link = (name: string, host: number): string =>
  `trojan://example-password@192.0.2.${host}:443?sni=example.test#${encodeURIComponent(name)}`;

/** Two nodes stay and are in a group; a rule keeps a domain away from them. */
async function openHome(): Promise<TestManager> {
  const manager = await openManager(engine);
  const { client } = manager;
  const text = [link('DE One', 1), 'nonsense', link('NL Two', 2), link('DE Three', 3), link('Three again', 3)].join(
    '\n',
  );
  await client.subscriptions.add({ body: { name: 'demo', source: { type: 'inline', text } } });
  const pipeline = [
    { operator: 'filter' as const, keep: { country: 'DE' } },
    { operator: 'group' as const, tag: 'germany', type: 'selector' as const, match: { country: 'DE' } },
  ];
  const rule = { domain_suffix: ['blocked.example'], action: 'reject' };
  const patch = [{ op: 'add' as const, path: '/route/rules/0', value: rule }];
  await client.configs.create({ body: { name: 'home', subscriptions: ['demo'], pipeline, patch } });
  return manager;
}

test('explain says where a node came from, what was done to it, and what holds it', async () => {
  await using manager = await openHome();
  const { client } = manager;
  const kept = (await client.configs.explain({ params, body: { node: 'DE Three' } })).node;
  expect(kept).toMatchObject({
    verdict: 'kept',
    protocol: 'trojan',
    country: 'DE',
    sources: [
      { subscription: 'demo', tag: 'DE Three', line: 4 },
      { subscription: 'demo', tag: 'Three again', line: 5 },
    ],
    groups: expect.arrayContaining(['select', 'auto', 'germany']),
    left_out: [],
  });
  const dropped = (await client.configs.explain({ params, body: { node: 'NL Two' } })).node;
  expect(dropped).toMatchObject({
    verdict: 'dropped',
    groups: [],
    steps: [{ index: 0, operator: 'filter', what: expect.any(String) }],
  });
  expect(await codeOf(client.configs.explain({ params, body: { node: 'nobody' } }))).toBe('node.not-found');
});

test('explain says which rule takes a connection, by the newest version or another', async () => {
  await using manager = await openHome();
  const { client } = manager;
  const ask = async (destination: string, version?: number) => {
    const body = { destination, ...(version === undefined ? {} : { version }) };
    return (await client.configs.explain({ params, body })).route;
  };
  expect(await ask('www.blocked.example')).toMatchObject({ action: 'reject', rule_index: 0, verdict: 'reject' });
  expect(await ask('example.com:443')).toMatchObject({
    action: 'route',
    rule_index: null,
    outbound: 'select',
    verdict: 'proxy',
    leaves: expect.arrayContaining(['DE One', 'DE Three']),
  });
  await client.configs.update({ params, headers: { 'if-match': '*' }, body: { patch: [] } });
  await client.configs.generate({ params, body: {} });
  expect(await ask('www.blocked.example')).toMatchObject({ verdict: 'proxy' });
  expect(await ask('www.blocked.example', 1)).toMatchObject({ verdict: 'reject' });
  expect(await codeOf(ask('not a destination'))).toBe('request.invalid');
});

test('a preview of another engine says what changes, what is lost, and what would not work at all', async () => {
  await using manager = await openHome();
  const { client } = manager;
  const preview = async (to: string, from?: string) =>
    await client.configs.upgradePreview({ params, body: { to, ...(from === undefined ? {} : { from }) } });
  expect(await preview('1.14.4', '1.12.0')).toMatchObject({ from: '1.12.0', to: '1.14.4', ok: true, problem: null });
  expect(await preview('1.2')).toMatchObject({ ok: false, problem: { code: 'engine.too-old' }, changes: null });
});

test('the difference of two versions says what it means', async () => {
  await using manager = await openHome();
  const { client } = manager;
  const pipeline = [{ operator: 'filter' as const, keep: { country: 'DE' } }];
  await client.configs.update({ params, headers: { 'if-match': '*' }, body: { patch: [], pipeline } });
  await client.configs.generate({ params, body: {} });
  const diff = await client.configs.diff({ params: { id: 'home', version: '2' } });
  expect(diff).toMatchObject({
    groups: { removed: ['germany'] },
    rules: { removed: [{ index: 0, text: expect.stringContaining('blocked.example') }] },
    outbounds: { added: [], removed: [], changed: [], renamed: [] },
    summary: expect.stringContaining('−1 rule'),
  });
});

test('capabilities are listed for all engines, or for one', async () => {
  await using manager = await openManager();
  const { client } = manager;
  const all = (await client.engines.capabilities({})).items;
  expect(all.length).toBeGreaterThan(20);
  expect(all.every((row) => row.available === undefined)).toBe(true);
  const bare = (await client.engines.capabilities({ query: { version: '1.14', tags: '' } })).items;
  expect(bare.find(({ name }) => name === 'hysteria2')).toMatchObject({ available: false, reason: expect.any(String) });
});

test('tests run each time a version is made, and one that fails keeps it from being made', async () => {
  await using manager = await openHome();
  const { client } = manager;
  const anyRevision = { 'if-match': '*' };
  const tests = [
    { name: 'blocked', destination: 'www.blocked.example', expect: { verdict: 'reject' as const } },
    { name: 'the rest', destination: 'example.com:443', expect: { group: 'select' } },
  ];
  await client.configs.update({ params, headers: anyRevision, body: { tests } });
  expect(await client.configs.tests({ params })).toMatchObject({ ok: true, results: [{ ok: true }, { ok: true }] });
  expect((await client.configs.generate({ params, body: {} })).version.version).toBe(2);

  await client.configs.update({ params, headers: anyRevision, body: { patch: [] } });
  const generating = client.configs.generate({ params, body: {} });
  await expect(generating).rejects.toMatchObject({
    code: 'config.test-failed',
    details: { failed: [{ name: 'blocked', reasons: [expect.stringContaining('verdict reject was expected')] }] },
  });
  expect((await client.configs.get({ params })).version).toBe(2);
  expect(await client.configs.tests({ params })).toMatchObject({ ok: false, results: [{ ok: false }, { ok: true }] });
  await client.configs.update({ params, headers: anyRevision, body: { tests_block: false } });
  expect((await client.configs.generate({ params, body: {} })).version.version).toBe(3);
  // What served once may come back.
  await client.configs.update({ params, headers: anyRevision, body: { tests_block: true } });
  expect((await client.configs.rollback({ params, body: { version: 3 } })).version).toBe(4);
});
