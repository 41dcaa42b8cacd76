import { readlinkSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, jest, test } from '@jest/globals';
import { startFleet, startTamperingProxy, type Fleet, type TamperingProxy, type WireRequest } from '../src/index.ts';

// Two programs of 40 MB go over the wire in each.
jest.setTimeout(120_000);

const tools = path.join(import.meta.dirname, '../../../.tools');
const programOf = (version: string): string => path.join(tools, `sing-box-${version}/sing-box`);
const mib = 1024 * 1024;
/** What is moved over loses nothing; two on one port lose what the old one had not taken yet; in place there is a gap. */
const mostLost: Readonly<Record<string, number>> = { swap: 0, live: 0, overlap: 5 };

/** Requests through the proxy, one after another, until it is told to stop. */
function startTraffic(fleet: Fleet) {
  const stop = new AbortController();
  let [requests, lost] = [0, 0];
  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      requests += 1;
      await fleet.request().catch(() => (lost += 1));
      await setTimeout(5);
    }
  };
  const running = run();
  return {
    /** Since the last call. */
    count() {
      const counted = { requests, lost };
      [requests, lost] = [0, 0];
      return counted;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
    },
  };
}

/** An agent without an engine of its own, behind a proxy that may lie about what the manager hands out. */
async function openFleet(versions: readonly string[]) {
  let wire: TamperingProxy | undefined;
  const fleet = await startFleet({
    agent: { ENGINE_SING_BOX: '/nowhere/sing-box', APPLY_RETRY: '["1s"]' },
    engines: { files: versions.map(programOf), first: '1.12.23' },
    between: async (url) => (wire = await startTamperingProxy(url)),
  });
  const { agent, manager } = fleet;
  const { items } = await manager.client.engines.list({});
  const digestOf = (version: string): string => items.find((build) => build.version === version)?.digest ?? '';
  /** The version whose program serves, by the file that it was started from. */
  const serving = async (): Promise<string | undefined> => {
    const { units } = await agent.local.status();
    const file = readlinkSync(`/proc/${units[0]?.pid ?? 0}/exe`);
    return items.find(({ digest }) => file === fleet.dir.file(`agent/state/engines/sha256/${digest.slice(7)}`))
      ?.version;
  };
  return { fleet, agent, manager, wire: wire as TamperingProxy, digestOf, serving };
}

const rangeStart = ({ headers }: WireRequest): number => Number(/^bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? -1);
const isPieceOf =
  (digest: string) =>
  ({ path: wanted }: WireRequest): boolean =>
    decodeURIComponent(wanted).endsWith(digest);

test('an agent gets its engines by digest, changes them under traffic, and goes back to the one a version was proven with', async () => {
  const { fleet, agent, manager, wire, digestOf, serving } = await openFleet(['1.12.23', '1.14.4']);
  await using _ = fleet;
  expect(await serving()).toBe('1.12.23');
  expect(await fleet.request()).toBe('origin-ok');
  await using traffic = startTraffic(fleet);
  const steps: unknown[] = [];
  const step = async (to: string): Promise<void> => {
    expect(await serving()).toBe(to);
    // A request may meet the end of an engine that overlapped; whoever comes again gets through.
    expect(await fleet.request().catch(async () => await fleet.request())).toBe('origin-ok');
    const { requests, lost } = traffic.count();
    const strategy = (await agent.local.status()).units[0]?.reload?.strategy;
    steps.push({ to, strategy, requests, lost });
    expect(requests).toBeGreaterThan(5);
    const most = mostLost[strategy ?? ''] ?? requests / 2;
    expect({ steps, lost: lost <= most }).toEqual({ steps, lost: true });
  };
  traffic.count();

  const params = { id: 'main' };
  const body = { settings: { log_level: 'error' } };
  await manager.client.configs.update({ params, headers: { 'if-match': '*' }, body });
  await manager.client.configs.generate({ params, body: {} });
  expect(await fleet.deploy(2, '1.14.4')).toEqual({ state: 'succeeded', code: null, detail: null });
  await step('1.14.4');
  // Only what was not here yet was fetched, each byte once.
  const pieces = wire.requests.filter(isPieceOf(digestOf('1.14.4'))).map(rangeStart);
  expect(pieces).toEqual(pieces.map((_piece, index) => index * mib));
  expect(pieces.length).toBeGreaterThan(40);

  const rollback = await manager.command('config', 'rollback', 'main', '1');
  expect(rollback.stderr + rollback.stdout).toContain('version 3 with sing-box 1.12.23: succeeded');
  await step('1.12.23');
  expect(wire.requests.filter(isPieceOf(digestOf('1.12.23')))).toHaveLength(
    Math.ceil((await stat(programOf('1.12.23'))).size / mib),
  );
});

test('an engine of other bytes is refused, and one that was cut off is gone on with, also by the next agent', async () => {
  const { fleet, agent, manager, wire, digestOf, serving } = await openFleet(['1.12.23', '1.13.21']);
  await using _ = fleet;
  // It is refused before it is started, so that the head of a program is enough.
  const bytes = Buffer.alloc(3 * mib + 5);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
  bytes[18] = process.arch === 'x64' ? 0x3e : 0xb7;
  const query = { version: '1.13.99', tags: 'with_clash_api' };
  const changed = await manager.client.engines.add({ query, body: bytes });
  wire.lie((answer, request) => {
    if (!isPieceOf(changed.digest)(request) || rangeStart(request) !== mib) return answer;
    const body = Buffer.from(answer.body);
    body[1000] = (body[1000] ?? 0) ^ 1;
    return { ...answer, body };
  });
  expect(await fleet.deploy(1, '1.13.99')).toMatchObject({ state: 'halted', code: 'blob.digest-mismatch' });
  expect([await serving(), await fleet.request()]).toEqual(['1.12.23', 'origin-ok']);

  const isPiece = isPieceOf(digestOf('1.13.21'));
  wire.lie((answer, request) =>
    isPiece(request) && rangeStart(request) >= 5 * mib ? { ...answer, cutAfter: 1000 } : answer,
  );
  const seen = wire.requests.length;
  const body = { servers: [fleet.serverId], version: 1, engine: '1.13.21' };
  await manager.client.configs.deploy({ params: { id: 'main' }, body });
  const before = performance.now();
  while (!wire.requests.slice(seen).some((request) => isPiece(request) && rangeStart(request) >= 5 * mib)) {
    if (performance.now() - before > 30_000) throw new Error('the engine was not asked for again');
    await setTimeout(20);
  }
  await agent.kill();
  wire.lie();
  const killed = wire.requests.length;
  await agent.start();
  await agent.until('running the engine that it fetched', ({ committed, running }) => {
    return committed?.generation === 3 && running?.generation === 3;
  });
  expect([await serving(), await fleet.request()]).toEqual(['1.13.21', 'origin-ok']);
  const starts = wire.requests.slice(killed).filter(isPiece).map(rangeStart);
  expect(starts[0]).toBe(5 * mib);
  const size = (await stat(programOf('1.13.21'))).size;
  expect(starts).toHaveLength(Math.ceil(size / mib) - 5);
});
