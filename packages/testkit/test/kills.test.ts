import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { messageOf, ProblemError } from '@sbox/core';
import { processesUnder, startFleet, type Fleet } from '../src/index.ts';
import { createRandom } from '../src/random.ts';

const rounds = 30;
const longestMs = 700;
/** What a request may end with that was lost with the manager. */
const expectedCodes = new Set(['manager.unreachable']);

const pause = async (ms: number): Promise<void> => await new Promise((resolve) => setTimeout(resolve, ms));

/** What the API said yes to; a change whose answer was lost may have happened or not. */
interface Acknowledged {
  /** For what must be new each time. */
  count: number;
  /** Name to the shares that it may have now. */
  readonly subscriptions: Map<string, Set<number>>;
  /** Newest of the provider's. */
  snapshot: number;
  /** Number to digest. */
  readonly versions: Map<number, string>;
  /** Id to version. */
  readonly deployments: Map<string, number>;
}

const nothingYet = (): Acknowledged => ({
  count: 0,
  subscriptions: new Map(),
  snapshot: 1,
  versions: new Map(),
  deployments: new Map(),
});

/** Does one thing after another until it is stopped; that throws what no kill explains. */
function startWork({ manager, provider }: Fleet, acknowledged: Acknowledged, random: () => number) {
  const { client } = manager;
  const { subscriptions, versions, deployments } = acknowledged;
  const stopping = new AbortController();
  let problem: unknown;
  const next = (): number => (acknowledged.count += 1);

  const add = async (): Promise<void> => {
    const name = `added-${next()}`;
    const text = `trojan://secret@192.0.2.1:443?sni=example.test#${name}`;
    await client.subscriptions.add({ body: { name, source: { type: 'inline', text }, min_share: 0.5 } });
    subscriptions.set(name, new Set([0.5]));
  };
  const change = async (): Promise<void> => {
    const names = [...subscriptions.keys()];
    const name = names[Math.floor(random() * names.length)];
    if (name === undefined) return;
    const min_share = Math.round(random() * 1000) / 1000;
    subscriptions.get(name)?.add(min_share);
    await client.subscriptions.update({ params: { id: name }, headers: { 'if-match': '*' }, body: { min_share } });
    subscriptions.set(name, new Set([min_share]));
  };
  const refresh = async (): Promise<void> => {
    const links = provider.nodes.map(({ link }) => `${link} ${next()}`);
    provider.setBody({ body: links.join('\n') });
    const { version } = await client.subscriptions.refresh({ params: { id: 'provider' } });
    acknowledged.snapshot = version ?? 0;
  };
  const generate = async (): Promise<void> => {
    const { version } = await client.configs.generate({ params: { id: 'main' }, body: {} });
    versions.set(version.version, version.digest);
  };
  const deploy = async (): Promise<void> => {
    const { id, version } = await client.configs.deploy({ params: { id: 'main' }, body: { servers: ['server'] } });
    deployments.set(id, version);
  };
  const choices = [add, change, refresh, generate, deploy];

  const running = (async () => {
    while (!stopping.signal.aborted) {
      await pause(random() * 40);
      try {
        await choices[Math.floor(random() * choices.length)]?.();
      } catch (error) {
        if (error instanceof ProblemError && expectedCodes.has(error.code)) continue;
        problem = error;
        return;
      }
    }
  })();
  return {
    async stop() {
      stopping.abort();
      await running;
      if (problem !== undefined) throw problem;
    },
  };
}

/** Everything that was acknowledged is there. */
async function expectKept({ manager }: Fleet, acknowledged: Acknowledged): Promise<void> {
  const { subscriptions, snapshot, versions, deployments } = acknowledged;
  const { client } = manager;
  const query = { limit: 1000 };
  const { version: newest } = await client.subscriptions.get({ params: { id: 'provider' } });
  expect(newest).toBeGreaterThanOrEqual(snapshot);
  const found = new Map((await client.subscriptions.list({ query })).items.map((each) => [each.name, each.min_share]));
  for (const [name, shares] of subscriptions)
    expect([name, [...shares]]).toEqual([name, expect.arrayContaining([found.get(name)])]);
  const made = (await client.configs.versions({ params: { id: 'main' }, query })).items;
  const digests = new Map(made.map(({ version, digest }) => [version, digest]));
  for (const [version, digest] of versions) expect([version, digests.get(version)]).toEqual([version, digest]);
  const started = new Map((await client.deployments.list({ query })).items.map(({ id, version }) => [id, version]));
  for (const [id, version] of deployments) expect([id, started.get(id)]).toEqual([id, version]);
}

const readJson = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'));

/** While no agent runs, so that nothing changes under our eyes: each file that something points to is whole. */
function expectWhole(stateDir: string): number {
  for (const link of ['current', 'lkg']) {
    const slot = path.join(stateDir, 'slots/main', readlinkSync(path.join(stateDir, 'slots/main', link)));
    expect(readJson(path.join(slot, 'config.json'))).toMatchObject({ inbounds: expect.any(Array) });
    expect(readJson(path.join(slot, 'slot.json'))).toMatchObject({ name: path.basename(slot) });
  }
  const blobs = path.join(stateDir, 'blobs/sha256');
  for (const name of readdirSync(blobs).filter((each) => !each.endsWith('.tmp')))
    expect(
      createHash('sha256')
        .update(readFileSync(path.join(blobs, name)))
        .digest('hex'),
    ).toBe(name);
  const { manifest } = readJson(path.join(stateDir, 'accepted.json')) as { manifest: { generation: number } };
  return manifest.generation;
}

/** How many engines run the unit, and how many try it. */
function countEngines(stateDir: string): { live: number; trial: number } {
  const runs = processesUnder(stateDir).filter(({ command }) => / run .*-c /.test(command));
  const below = (directory: string): number =>
    runs.filter(({ command }) => command.includes(`${stateDir}/${directory}/`)).length;
  return { live: below('slots'), trial: below('trials') };
}

async function requestSoon(fleet: Fleet): Promise<void> {
  // A take-over cuts what is open at that moment; whoever comes again gets through.
  for (let tries = 1; ; tries += 1) {
    try {
      expect(await fleet.request()).toBe('origin-ok');
      return;
    } catch (error) {
      if (tries === 5) throw error;
      await pause(20);
    }
  }
}

async function killAndReturn(fleet: Fleet, random: () => number, expectFrozen: () => void): Promise<void> {
  const { agent, manager } = fleet;
  const killManager = async (): Promise<void> => {
    await pause(random() * longestMs);
    await manager.kill();
    await manager.restart();
  };
  const killAgent = async (): Promise<void> => {
    await pause(random() * longestMs);
    await agent.kill();
    expectFrozen();
    await agent.start();
  };
  await Promise.all([killManager(), killAgent()]);
}

async function survive(fleet: Fleet, random: () => number): Promise<void> {
  const { agent, manager } = fleet;
  const stateDir = fleet.dir.file('agent/state');
  // Else the manager's own deployments would stand in the way of ours.
  const patch = { headers: { 'if-match': '*' }, body: { auto_deploy: false } };
  await manager.client.configs.update({ params: { id: 'main' }, ...patch });
  const acknowledged = nothingYet();
  let generation = 1;
  for (let round = 1; round <= rounds; round += 1) {
    const work = startWork(fleet, acknowledged, random);
    await killAndReturn(fleet, random, () => {
      const accepted = expectWhole(stateDir);
      expect(accepted).toBeGreaterThanOrEqual(generation);
      generation = accepted;
      // The one that serves, and one that was just about to take over.
      expect([1, 2]).toContain(countEngines(stateDir).live);
      expect(countEngines(stateDir).trial).toBeLessThanOrEqual(1);
    });
    await work.stop();
    await requestSoon(fleet);
    expect([1, 2]).toContain(countEngines(stateDir).live);
    expect((await agent.local.status()).observed?.generation).toBeGreaterThanOrEqual(generation);
    await expectKept(fleet, acknowledged);
  }
  const { subscriptions, versions, deployments } = acknowledged;
  for (const { size } of [subscriptions, versions, deployments]) expect(size).toBeGreaterThan(rounds / 6);

  const version = await fleet.publish();
  expect(await fleet.deploy(version)).toMatchObject({ state: 'succeeded' });
  const server = await fleet.untilServer('healthy', ({ state }) => state === 'healthy');
  const status = await agent.local.status();
  const [rendition] = (await manager.client.configs.version({ params: { id: 'main', version: String(version) } }))
    .renditions;
  expect(server.desired).toMatchObject({ version, generation: status.running?.generation });
  expect(status).toMatchObject({
    phase: 'committed',
    nack: null,
    running: { digest: rendition?.digest },
    committed: status.observed,
  });
  expect(countEngines(stateDir)).toEqual({ live: 1, trial: 0 });
  await requestSoon(fleet);
}

test(`scenario 15: ${rounds} kills of the manager and ${rounds} of the agent: nothing is lost, torn or doubled`, async () => {
  const seed = Number(process.env['SBOX_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  await using fleet = await startFleet({
    watch: '100ms',
    manager: { LIMITS_TOKEN: '1000000', LIMITS_AGENT: '1000000' },
  });
  try {
    await survive(fleet, createRandom(seed));
  } catch (error) {
    throw new Error(`SBOX_TEST_SEED=${seed}: ${messageOf(error)}`, { cause: error });
  }
}, 300_000);
