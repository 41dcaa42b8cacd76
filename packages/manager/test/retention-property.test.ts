import { expect, test } from '@jest/globals';
import { createFakeClock, isoTime } from '@sbox/core';
import fc from 'fast-check';
import { createNewId } from '@sbox/core';
import { randomBytes } from '@sbox/daemon/keys';
import { compress } from '../src/database/compressed.ts';
import { openDatabase } from '../src/database/open-database.ts';
import { createStore, type Store } from '../src/database/store.ts';
import { createRetentionService } from '../src/features/retention/retention-service.ts';
import { createKeyedQueue } from '../src/keyed-queue.ts';
import { config, server, subscription } from './repository-rows.ts';
import { addVersion, digestOfText, insertRow, textOf, unitsOf } from './retention-rows.ts';

const hourMs = 3_600_000;
const rules = {
  versions: { keep: 2, ageMs: 10 * hourMs },
  drafts: { ageMs: 5 * hourMs },
  snapshots: { keep: 1, ageMs: 8 * hourMs },
};
const keptOrders = 20;
const configs = ['c0', 'c1'];
const servers = ['s0', 's1'];

const pick = fc.nat(1000);
const action = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('version' as const), config: fc.nat(1), kind: fc.nat(9) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('snapshot' as const) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('order' as const),
      server: fc.nat(1),
      config: fc.nat(1),
      pick,
      times: fc.integer({ min: 1, max: 12 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('says' as const), server: fc.nat(1), config: fc.nat(1), pick }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('deployment' as const),
      config: fc.nat(1),
      pick,
      state: fc.constantFrom('running', 'succeeded', 'halted'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('assignment' as const), config: fc.nat(1), pick }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('pin' as const), pick }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('wait' as const), hours: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('retention' as const) }) },
);
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never;

interface Version {
  readonly version: number;
  readonly atMs: number;
  readonly isDraft: boolean;
  readonly isTagged: boolean;
  readonly snapshot: number | undefined;
}

/** What happened, as a list that a person could keep; the oracle looks only here. */
class History {
  readonly versions = new Map<string, Version[]>(configs.map((name) => [name, []]));
  readonly numbers = new Map<string, number>();
  snapshots: { readonly version: number; readonly atMs: number }[] = [];
  snapshotNumber = 0;
  pinned: number | undefined;
  readonly orders = new Map<string, { config: string; version: number }[]>(servers.map((name) => [name, []]));
  readonly assigned = new Map<string, { config: string; version: number }>();
  readonly says = new Map<string, { config: string; version: number }>();
  readonly deployments: { config: string; version: number; state: string }[] = [];
  readonly rules: { config: string; version: number }[] = [];

  /** Versions of a config that have to be there. */
  needed(name: string, nowMs: number): number[] {
    const all = this.versions.get(name) ?? [];
    const published = all.filter(({ isDraft }) => !isDraft);
    const of = (list: Iterable<{ config: string; version: number }>) =>
      [...list].filter((one) => one.config === name).map(({ version }) => version);
    const last = this.deployments.findLast((one) => one.config === name && one.state !== 'halted');
    const used = new Set([
      ...of(this.assigned.values()),
      ...of(this.says.values()),
      ...[...this.orders.values()].flatMap((orders) => of(orders.slice(-keptOrders))),
      ...of(this.deployments.filter(({ state }) => state === 'running')),
      ...of(last ? [last] : []),
      ...of(this.rules),
      ...published.slice(-rules.versions.keep).map(({ version }) => version),
    ]);
    return all
      .filter((one) => {
        const next = published.find(({ version }) => version > one.version);
        const sinceMs = one.isDraft ? one.atMs : (next?.atMs ?? nowMs);
        const limitMs = one.isDraft ? rules.drafts.ageMs : rules.versions.ageMs;
        return used.has(one.version) || one.isTagged || nowMs - sinceMs <= limitMs;
      })
      .map(({ version }) => version);
  }

  neededSnapshots(nowMs: number): number[] {
    const used = new Set(
      configs.flatMap((name) => {
        const needed = new Set(this.needed(name, nowMs));
        return (this.versions.get(name) ?? []).filter(({ version }) => needed.has(version)).map((one) => one.snapshot);
      }),
    );
    return this.snapshots
      .filter(({ version }, index) => {
        const next = this.snapshots[index + 1];
        const isYoung = nowMs - (next?.atMs ?? nowMs) <= rules.snapshots.ageMs;
        return next === undefined || used.has(version) || version === this.pinned || isYoung;
      })
      .map(({ version }) => version);
  }
}

async function openWorld() {
  const database = await openDatabase(':memory:');
  const clock = createFakeClock();
  const store = createStore({ db: database.db, clock, newId: createNewId(randomBytes), published: () => {} });
  await store.subscriptions.insert(subscription('sub'));
  for (const id of configs) await store.configs.insert(config(id, ['sub']));
  for (const id of servers) await store.servers.insert(server(id));
  const { signal: stopping } = new AbortController();
  const retention = createRetentionService({ store, clock, queue: createKeyedQueue(), rules, stopping });
  return {
    database,
    clock,
    store,
    retention,
    history: new History(),
    [Symbol.asyncDispose]: database[Symbol.asyncDispose],
  };
}
type World = Awaited<ReturnType<typeof openWorld>>;

/** A version that is there, drafts only where they may be. */
function choose({ history }: World, name: string, at: number): number | undefined {
  const published = (history.versions.get(name) ?? []).filter(({ isDraft }) => !isDraft);
  return published[at % Math.max(1, published.length)]?.version;
}

async function makeVersion({ store, clock, history }: World, name: string, kind: number): Promise<void> {
  const version = (history.numbers.get(name) ?? 0) + 1;
  history.numbers.set(name, version);
  const [isDraft, isTagged] = [kind < 3, kind === 4];
  const snapshot = kind === 9 ? undefined : (history.pinned ?? history.snapshots.at(-1)?.version);
  const snapshots = snapshot === undefined ? [] : [{ subscription_id: 'sub', version: snapshot }];
  await addVersion(store, { config: name, version, at: isoTime(clock.now()), isDraft, isTagged, snapshots });
  history.versions.get(name)?.push({ version, atMs: clock.now(), isDraft, isTagged, snapshot });
}

async function makeSnapshot({ store, clock, history }: World): Promise<void> {
  const version = (history.snapshotNumber += 1);
  const content = compress(`snapshot ${version} `.repeat(100));
  const row = {
    subscription_id: 'sub',
    version,
    digest: `sha256:${version}`,
    format: 'uri-list',
    nodes: 1,
    rejected: 0,
  };
  await store.subscriptions.insertVersion({ ...row, created_at: isoTime(clock.now()) }, { parsed: content, content });
  await store.subscriptions.update('sub', { version });
  history.snapshots.push({ version, atMs: clock.now() });
}

async function order({ database, store, clock, history }: World, name: string, of: string, version: number) {
  const orders = history.orders.get(name) ?? [];
  orders.push({ config: of, version });
  const generation = orders.length;
  await database.db.deleteFrom('server_assignments').where('server_id', '=', name).execute();
  await insertRow(database.db, 'server_assignments', { server_id: name, unit: 'main', config_id: of, version });
  const at = { server_id: name, epoch: 1, generation, created_at: isoTime(clock.now()) };
  await store.servers.insertManifest({
    ...at,
    etag: `${generation}`,
    envelope: Buffer.from(''),
    units: unitsOf(of, version),
  });
  history.assigned.set(name, { config: of, version });
}

async function act(world: World, step: Action, index: number): Promise<void> {
  const { database, store, clock, history, retention } = world;
  const of = 'config' in step ? (configs[step.config] ?? '') : '';
  const version = 'pick' in step && of !== '' ? choose(world, of, step.pick) : undefined;
  if (step.do === 'version') return await makeVersion(world, of, step.kind);
  if (step.do === 'snapshot') return await makeSnapshot(world);
  if (step.do === 'wait') return await clock.advance(step.hours * hourMs);
  if (step.do === 'retention') return await retention.tick();
  if (step.do === 'pin') {
    history.pinned = history.snapshots[step.pick % (history.snapshots.length + 1)]?.version;
    return await store.subscriptions.update('sub', { pinned_version: history.pinned ?? null });
  }
  if (version === undefined) return;
  if (step.do === 'order')
    for (let time = 0; time < step.times; time += 1) await order(world, servers[step.server] ?? '', of, version);
  if (step.do === 'says') {
    const status = { running: { digest: digestOfText(textOf(of, version)) }, units: [] };
    await store.servers.update(servers[step.server] ?? '', { status: status as never });
    history.says.set(servers[step.server] ?? '', { config: of, version });
  }
  if (step.do === 'deployment') {
    const at = `${isoTime(clock.now())}.${String(index).padStart(4, '0')}`;
    await insertRow(database.db, 'deployments', {
      id: `d${index}`,
      config_id: of,
      version,
      state: step.state,
      created_at: at,
    });
    history.deployments.push({ config: of, version, state: step.state });
  }
  if (step.do === 'assignment') {
    await insertRow(database.db, 'assignments', { id: `a${index}`, name: `a${index}`, config_id: of, version });
    history.rules.push({ config: of, version });
  }
}

const stored = async ({ retention }: Store, name: string): Promise<number[]> =>
  (await retention.versions(name, Number.MAX_SAFE_INTEGER, 10_000)).map(({ version }) => version).toReversed();

/** What is needed is there, whole; and the list that the oracle keeps forgets what is not. */
async function check({ store, clock, history }: World, isExact: boolean): Promise<void> {
  const nowMs = clock.now();
  for (const name of configs) {
    const [there, needed] = [await stored(store, name), history.needed(name, nowMs)];
    expect(there).toEqual(expect.arrayContaining(needed));
    if (isExact) expect(there).toEqual(needed);
    for (const version of there) {
      const found = await store.configs.findVersion(name, version);
      expect((await store.configs.content(found?.renditions[0]?.digest ?? ''))?.toString()).toBe(textOf(name, version));
      expect(await store.blobs.content(found?.renditions[0]?.files[0]?.digest ?? '')).toBeDefined();
      for (const snapshot of found?.inputs.snapshots ?? [])
        expect((await store.subscriptions.content('sub', snapshot.version))?.toString()).toContain(
          `snapshot ${snapshot.version} `,
        );
    }
    for (let version = 1; version <= (history.numbers.get(name) ?? 0); version += 1)
      expect((await store.configs.removedAt(name, version)) === undefined).toBe(there.includes(version));
    history.versions.set(
      name,
      (history.versions.get(name) ?? []).filter(({ version }) => there.includes(version)),
    );
  }
  const snapshots = (await store.retention.snapshots('sub', Number.MAX_SAFE_INTEGER, 10_000)).map((one) => one.version);
  const needed = history.neededSnapshots(nowMs);
  expect(snapshots).toEqual(expect.arrayContaining(needed));
  if (isExact) expect(snapshots.toReversed()).toEqual(needed);
  history.snapshots = history.snapshots.filter(({ version }) => snapshots.includes(version));
}

test('whatever happens: nothing that somebody needs goes, and everything else does', async () => {
  let removed = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 10, maxLength: 90 }), async (actions) => {
      await using world = await openWorld();
      for (const [index, step] of actions.entries()) {
        await act(world, step, index);
        if (step.do === 'retention') await check(world, true);
      }
      await check(world, false);
      await world.clock.advance(100 * hourMs);
      await world.retention.tick();
      await check(world, true);
      const { db } = world.database;
      const used = new Set(
        (await db.selectFrom('config_version_renditions').select('digest').execute()).map((row) => row.digest),
      );
      const renditions = (await db.selectFrom('renditions').select('digest').execute()).map(({ digest }) => digest);
      expect(renditions.toSorted()).toEqual([...used].toSorted());
      expect(await db.selectFrom('blobs').select('digest').execute()).toHaveLength(used.size);
      removed += (await db.selectFrom('removed_config_versions').select('version').execute()).length;
    }),
    { numRuns: 60 },
  );
  // It would be easy to keep all; random histories have about a hundred that nobody needs.
  expect(removed).toBeGreaterThan(40);
}, 120_000);
