import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from '@jest/globals';
import { isoTime } from '@sbox/core';
import { codeOf, joinAgent, openManager, type TestManager } from './open-manager.ts';

const dayMs = 86_400_000;
const age = '30d';
const retention = {
  versions: { keep: 2, age },
  drafts: { age },
  snapshots: { keep: 1, age },
};
const home = { params: { id: 'home' } };
const versionOf = (version: number) => ({ params: { id: 'home', version: String(version) } });
const text = (nodes: number): string =>
  Array.from({ length: nodes }, (_, at) => `trojan://secret-${at}@192.0.2.${at + 1}:443#Node%20${at}`).join('\n');

/** As if all of it had been done so long ago. */
function makeOld({ directory }: TestManager, days: number, tagged: number[] = []): void {
  using database = new DatabaseSync(path.join(directory, 'data/sbox.db'), { timeout: 5000 });
  const at = isoTime(Date.now() - days * dayMs);
  database.prepare('update config_versions set created_at = ?, published_at = ?').run(at, at);
  database.prepare('update subscription_versions set created_at = ?').run(at);
  for (const version of tagged)
    database.prepare(`update config_versions set tags = '["kept"]' where version = ?`).run(version);
}

/** A subscription that changed, and a version of the config after each change. */
async function makeHistory({ client }: TestManager, versions: number): Promise<void> {
  const source = { type: 'inline' as const, text: text(1) };
  await client.subscriptions.add({ body: { name: 'demo', source } });
  await client.configs.create({ body: { name: 'home', subscriptions: ['demo'] } });
  for (let nodes = 2; nodes <= versions; nodes += 1) {
    await client.subscriptions.update({
      params: { id: 'demo' },
      headers: { 'if-match': '*' },
      body: { source: { type: 'inline', text: text(nodes) } },
    });
    await client.subscriptions.refresh({ params: { id: 'demo' } });
    await client.configs.generate({ ...home, body: {} });
  }
  expect((await client.configs.get(home)).version).toBe(versions);
}

const numbersOf = async ({ client }: TestManager): Promise<number[]> =>
  (await client.configs.versions({ ...home, query: { limit: 1000 } })).items.map(({ version }) => version);

test('what is old and needed by nobody goes; what a server runs or may go back to stays and works', async () => {
  await using manager = await openManager({ retention });
  const { client } = manager;
  await makeHistory(manager, 9);
  const agent = await joinAgent(manager, 'edge');
  for (const version of [2, 5]) {
    const { id } = await client.configs.deploy({ ...home, body: { version, servers: ['edge'] } });
    await agent.commit();
    expect(id).toBeDefined();
  }
  const went = await agent.manifest();
  expect(await client.retention.run()).toEqual({ versions: 0, drafts: 0, snapshots: 0, left: 0 });

  makeOld(manager, 100, [3]);
  const [config, subscription] = (await client.retention.show()).items;
  expect(config).toMatchObject({ kind: 'config', name: 'home', stored: 9, removable: 4, numbers: [1, 4, 6, 7] });
  // 5 is assigned, 2 is an order of before, 3 has a tag, 8 and 9 are the newest two.
  expect(config?.kept).toEqual({ server: 1, order: 1, tag: 1, count: 1, newest: 1 });
  expect(subscription).toMatchObject({ kind: 'subscription', name: 'demo', stored: 9 });
  expect(await numbersOf(manager)).toHaveLength(9);

  const counts = { versions: 4, drafts: 0, snapshots: 4 };
  expect(await client.retention.run()).toEqual({ ...counts, left: 0 });
  expect(await numbersOf(manager)).toEqual([9, 8, 5, 3, 2]);
  expect(await codeOf(client.configs.version(versionOf(1)))).toBe('config.version-removed');
  expect(await codeOf(client.configs.version(versionOf(10)))).toBe('config.version-not-found');
  expect(await codeOf(client.configs.deploy({ ...home, body: { version: 4 } }))).toBe('config.version-removed');
  await expect(client.configs.rollback({ ...home, body: { version: 7 } })).rejects.toMatchObject({
    details: { removed_at: expect.any(String) },
  });
  const { items: events } = await client.events.list({ query: { type: 'retention.', limit: 2 } });
  expect(events.map(({ data }) => data)).toMatchObject([
    { name: 'demo', snapshots: 4, versions: 0 },
    { name: 'home', snapshots: 0, versions: 4 },
  ]);

  // The server still gets what it was sent, and what it was sent before.
  for (const unit of went?.manifest.units ?? []) {
    const { bytes } = await agent.client.blob({ params: { digest: unit.config.digest }, headers: {} });
    expect(JSON.parse(Buffer.from(bytes ?? []).toString())).toHaveProperty('outbounds');
  }
  // What stays can be gone back to, and no number comes twice.
  expect((await client.configs.rollback({ ...home, body: { version: 2 } })).version).toBe(10);
  expect(await client.retention.show({ query: { limit: 1 } })).toMatchObject({ next_cursor: expect.any(String) });
});

test('the manager does it by itself, and numbers go on where they were', async () => {
  await using manager = await openManager({ retention: { ...retention, versions: { keep: 1, age } } });
  await makeHistory(manager, 4);
  await manager.restart({}, async () => await Promise.resolve(makeOld(manager, 100)));
  const { client } = manager;
  for (let turn = 0; (await numbersOf(manager)).length > 1; turn += 1) expect(turn).toBeLessThan(200);
  expect(await numbersOf(manager)).toEqual([4]);
  expect((await client.configs.rollback({ ...home, body: { version: 4 } })).version).toBe(5);
  expect(await codeOf(client.configs.version(versionOf(2)))).toBe('config.version-removed');
});

test('whoever sees configs sees what would go; only who may remove it does', async () => {
  await using manager = await openManager({ retention });
  const viewer = await manager.client.tokens.create({ body: { name: 'viewer', role: 'viewer' } });
  const seeing = manager.clientOf(viewer.token);
  expect(await seeing.retention.show()).toEqual({ items: [], next_cursor: null });
  expect(await codeOf(seeing.retention.run())).toBe('auth.forbidden');
  expect(await codeOf(seeing.retention.show({ query: { cursor: 'x' } }))).toBe('request.invalid');
});

test('ages below an hour are refused: what is being made needs what was replaced just now', async () => {
  await expect(openManager({ retention: { ...retention, versions: { keep: 1, age: '1m' } } })).rejects.toThrow('1h');
  await expect(openManager({ retention: { ...retention, versions: { keep: 0, age } } })).rejects.toThrow();
});
