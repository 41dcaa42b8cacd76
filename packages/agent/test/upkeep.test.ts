// What goes on beside applying, with the real engine: probes, budgets, logs, and the end of an adopted engine.
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import path from 'node:path';
import { systemClock } from '@sbox/core';
import type { ExtraProbe } from '@sbox/protocol';
import { expect, jest, test } from '@jest/globals';
import { createProbe, type RunProbe } from '../src/probe/probe.ts';
import {
  directConfig,
  freePort,
  isCommitted,
  isRefused,
  openRig,
  quickRestarts,
  requestThrough,
  until,
} from './reconciler-rig.ts';

jest.setTimeout(30_000);

const often = { every_ms: 1000, timeout_ms: 500, fail: 1, pass: 1 };

async function listen(port = 0): Promise<Server> {
  const server = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return server;
}
const close = async (server: Server): Promise<unknown> => await new Promise((resolve) => server.close(resolve));

test('a target that a probe does not reach makes its unit degraded, and nothing is restarted for it', async () => {
  await using rig = await openRig();
  const server = await listen();
  const { port } = server.address() as AddressInfo;
  const probes: ExtraProbe[] = [
    { id: 'web', type: 'proxy', urls: [rig.origin.url], ...often },
    { id: 'db', type: 'tcp', address: `127.0.0.1:${port}`, ...often },
    { id: 'own', type: 'exec', command: ['/bin/true'], ...often },
  ];
  const agent = await rig.boot();
  agent.offer(rig.order({ generation: 1, config: directConfig(rig.port), unit: { probes } }));
  const { units } = await until(agent, isCommitted(1));
  const isUp = (id: string, up: boolean) => (state: typeof agent.state) =>
    state.units[0]?.probes?.find((one) => one.id === id)?.up === up;
  await until(agent, isUp('db', true));
  await until(agent, isUp('web', true));
  await close(server);
  const state = await until(agent, isUp('db', false));
  expect(state).toMatchObject({ phase: 'degraded', nack: null });
  expect(state.units[0]).toMatchObject({
    state: 'degraded',
    pid: units[0]?.pid,
    restarts: 0,
    message: expect.stringContaining('probe db: '),
    probes: [
      { id: 'web', up: true },
      { id: 'db' },
      { id: 'own', up: null, detail: expect.stringContaining('exec_probes') },
    ],
  });
  const again = await listen(port);
  await until(agent, (found) => found.phase === 'committed' && found.units[0]?.state === 'running');
  await close(again);
});

test('a probe that is down during the watch takes the version back', async () => {
  await using rig = await openRig();
  const agent = await rig.serve();
  const probes: ExtraProbe[] = [{ id: 'db', type: 'tcp', address: `127.0.0.1:${await freePort()}`, ...often }];
  const config = directConfig(rig.port, { log: { level: 'warn' } });
  agent.offer(rig.order({ generation: 2, config, unit: { probes, watch_ms: 60_000 } }));
  const { nack } = await until(agent, isRefused('apply.probe-failed'), 20_000);
  expect(nack).toMatchObject({ stage: 'watch', message: expect.stringContaining('probe db: ') });
  expect(agent.state).toMatchObject({ running: { generation: 1 } });
  expect(await requestThrough(rig.port, rig.origin.url)).toBe(204);
});

test('a target that comes back while the version before is tried takes nothing back', async () => {
  await using rig = await openRig();
  const probe = createProbe(systemClock);
  const isAnswering = { live: true };
  let trials = 0;
  const sometimes: RunProbe = async (way, targets, signal) => {
    const isLive = way?.port === rig.port;
    const result = await probe(way, targets, signal);
    if (isLive && !isAnswering.live) return { ...result, ok: false, detail: 'no answer' };
    // The version before is asked at a port of its own.
    if (!isLive && !isAnswering.live) {
      trials += 1;
      isAnswering.live = true;
    }
    return result;
  };
  const agent = await rig.serve({ machine: { probe: sometimes } });
  const config = directConfig(rig.port, { log: { level: 'warn' } });
  agent.offer(rig.order({ generation: 2, config, unit: { watch_ms: 1500 } }));
  await until(agent, (state) => state.running?.generation === 2 && state.phase === 'serving');
  isAnswering.live = false;
  const { nack, running } = await until(agent, isCommitted(2));
  expect([nack, running?.generation, trials]).toEqual([null, 2, 1]);
});

test('an engine that grew beyond its memory is started again once, and the status says why', async () => {
  await using rig = await openRig();
  const first = await rig.serve();
  const { units } = first.state;
  await first[Symbol.asyncDispose]();
  const budget = { memory_bytes: 0, engine_memory_bytes: 1024 * 1024, disk_free_bytes: 0 };
  const agent = await rig.boot({ settings: { budget, restart: { ...quickRestarts, stable_ms: 0 } } });
  const isAgain = (state: typeof agent.state): boolean => {
    const { pid = null, state: unit } = state.units[0] ?? {};
    return pid !== null && pid !== units[0]?.pid && unit === 'running';
  };
  const { units: after, pressures } = await until(agent, isAgain, 20_000);
  expect(pressures).toMatchObject([{ type: 'MemoryPressure', reason: 'engine' }]);
  expect(after[0]?.open_files).toBeGreaterThan(3);
  // Ten more looks, and it is still the same one.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect(agent.state.units[0]?.pid).toBe(after[0]?.pid);
  expect(await requestThrough(rig.port, rig.origin.url)).toBe(204);
});

test('a version whose engine is beyond its memory while it is watched is taken back', async () => {
  await using rig = await openRig();
  const first = await rig.serve();
  await first[Symbol.asyncDispose]();
  const budget = { memory_bytes: 0, engine_memory_bytes: 1024 * 1024, disk_free_bytes: 0 };
  const agent = await rig.boot({ settings: { budget } });
  const config = directConfig(rig.port, { log: { level: 'warn' } });
  agent.offer(rig.order({ generation: 2, config, unit: { watch_ms: 60_000 } }));
  const { nack } = await until(agent, isRefused('apply.probe-failed'), 20_000);
  expect(nack).toMatchObject({ stage: 'watch', message: expect.stringContaining('budget.engine_memory is 1 MiB') });
});

test('a unit that ended waits for the one that it depends on, which is not started for it either; what runs goes on', async () => {
  await using rig = await openRig();
  const [a, b, c] = [await freePort(), await freePort(), await freePort()];
  const order = rig.order({
    generation: 1,
    configs: { c: directConfig(c), b: directConfig(b), a: directConfig(a) },
  });
  const dependent = new Set(['b', 'c']);
  const units = order.manifest.units.map((unit) => (dependent.has(unit.name) ? { ...unit, depends_on: ['a'] } : unit));
  const agent = await rig.boot({ settings: { restart: { ...quickRestarts, burst: 1000 } } });
  agent.offer({ ...order, manifest: { ...order.manifest, units } });
  const first = await until(agent, isCommitted(1));
  const pidOf = (name: string): number => agent.state.units.find((unit) => unit.name === name)?.pid ?? 0;
  const [pidB, pidC] = [pidOf('b'), pidOf('c')];
  expect(Math.min(pidB, pidC)).toBeGreaterThan(pidOf('a'));
  expect(first.units).toHaveLength(3);

  const file = path.join(rig.directory, 'slots/a/current/config.json');
  const config = readFileSync(file);
  writeFileSync(file, '{');
  process.kill(pidOf('a'), 'SIGKILL');
  await until(agent, (state) => state.units.some(({ name, restarts }) => name === 'a' && restarts > 1));
  process.kill(pidB, 'SIGKILL');
  const waits = ({ units: now }: typeof agent.state): boolean =>
    now.some(({ name, message }) => name === 'b' && message === 'waits for unit "a", which does not run');
  await until(agent, waits);
  expect(await requestThrough(c, rig.origin.url)).toBe(204);
  expect(pidOf('c')).toBe(pidC);

  // The same after the agent was away: what is held is not even tried.
  await agent[Symbol.asyncDispose]();
  const next = await rig.boot({ settings: { restart: { ...quickRestarts, burst: 1000 } } });
  const held = await until(next, waits);
  expect(held.units.find(({ name }) => name === 'b')).toMatchObject({ state: 'backoff', restarts: 0 });
  writeFileSync(file, config);
  await until(next, ({ units: now }) => now.every(({ state }) => state === 'running'));
  expect(await requestThrough(b, rig.origin.url)).toBe(204);
  expect(next.state.units.find(({ name }) => name === 'c')?.pid).toBe(pidC);
}, 30_000);

test('a flood in a log is cut while its engine runs on', async () => {
  await using rig = await openRig();
  const agent = await rig.serve({ settings: { log_every_ms: 50 } });
  const { units } = agent.state;
  const file = path.join(rig.directory, 'logs/edge.log');
  const flood = `${'x'.repeat(80)}\n`.repeat(20_000);
  appendFileSync(file, flood);
  while (!readFileSync(file, 'utf8').includes('lines: more than 1000 a second')) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(readFileSync(file).length).toBeLessThan(flood.length / 2);
  expect(agent.state.units[0]).toMatchObject({ pid: units[0]?.pid, restarts: 0 });
});

test('scenario 18: an agent that comes after another one hears of the end of its engine without looking', async () => {
  await using rig = await openRig();
  const first = await rig.serve();
  const { units } = first.state;
  await first[Symbol.asyncDispose]();
  const second = await rig.boot({ settings: { restart: quickRestarts, poll_ms: 3_600_000, care_every_ms: 3_600_000 } });
  expect(second.state.units[0]?.pid).toBe(units[0]?.pid);
  process.kill(units[0]?.pid ?? 0, 'SIGKILL');
  const state = await until(second, (found) => found.units[0]?.restarts === 1 && found.units[0].state === 'running');
  expect(rig.engines()).toEqual([state.units[0]?.pid]);
});
