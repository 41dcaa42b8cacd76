import { spawn } from 'node:child_process';
import { appendFileSync, chmodSync, cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, jest, test } from '@jest/globals';
import { createEngineFinder } from '../src/engines/find-engine.ts';
import { parseJournal, printLine } from '../src/state/journal.ts';
import {
  directConfig,
  isCommitted,
  isRefused,
  openRig,
  openStream,
  quickRestarts,
  requestThrough,
  singBoxPath,
  startUpstream,
  until,
  upstreamConfig,
} from './reconciler-rig.ts';

jest.setTimeout(30_000);

test('a killed engine is started again and serves again', async () => {
  await using rig = await openRig();
  const agent = await rig.serve({ settings: { restart: quickRestarts } });
  const { units } = agent.state;
  const pid = units[0]?.pid ?? 0;
  process.kill(pid, 'SIGKILL');
  const state = await until(agent, (found) => found.units[0]?.restarts === 1 && found.units[0].state === 'running');
  expect(state).toMatchObject({ phase: 'committed', nack: null });
  expect(rig.engines()).toEqual([state.units[0]?.pid]);
  expect(state.units[0]?.pid).not.toBe(pid);
  expect(await requestThrough(rig.port, rig.origin.url)).toBe(204);
});

test('whoever is told of it and fails keeps no engine down', async () => {
  await using rig = await openRig();
  const agent = await rig.serve({ settings: { restart: quickRestarts } });
  const { units } = agent.state;
  using _ = agent.onChange(() => {
    throw new Error('not today');
  });
  process.kill(units[0]?.pid ?? 0, 'SIGKILL');
  await until(agent, (found) => found.units[0]?.restarts === 1 && found.units[0].state === 'running');
  expect(await requestThrough(rig.port, rig.origin.url)).toBe(204);
});

test('an engine that crashes again and again soon after its commit gives way to the version before', async () => {
  await using rig = await openRig();
  const agent = await rig.serve({ settings: { restart: { ...quickRestarts, burst: 3 } } });
  const bad = directConfig(rig.port, { log: { level: 'warn' } });
  agent.offer(rig.order({ generation: 2, config: bad }));
  await until(agent, isCommitted(2));

  for (let restarts = 1; agent.state.nack === null; restarts += 1) {
    const [pid] = rig.engines();
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
    await until(
      agent,
      ({ nack, units }) => nack !== null || (units[0]?.restarts === restarts && units[0].pid !== null),
    );
  }
  const state = await until(agent, ({ units }) => units[0]?.state === 'running');
  expect(state.nack).toMatchObject({ code: 'engine.crash-loop', generation: 2, unit: 'edge', sticky: true });
  expect(state).toMatchObject({ running: { generation: 1 }, committed: { generation: 1 } });
  expect(await requestThrough(rig.port, rig.origin.url)).toBe(204);

  agent.offer(rig.order({ generation: 3, config: bad }));
  const again = await until(agent, ({ nack }) => nack?.generation === 3);
  expect(again).toMatchObject({ nack: { stage: 'verify', code: 'engine.crash-loop' }, running: { generation: 1 } });
});

test('an engine that dies during the watch is taken back at once', async () => {
  await using rig = await openRig();
  const agent = await rig.serve();
  const second = directConfig(rig.port, { log: { level: 'warn' } });
  agent.offer(rig.order({ generation: 2, config: second, unit: { watch_ms: 60_000 } }));
  const serving = await until(agent, ({ phase }) => phase === 'serving');
  process.kill(serving.units[0]?.pid ?? 0, 'SIGKILL');
  const state = await until(agent, isRefused('apply.failed'));
  expect(state.nack).toMatchObject({ stage: 'watch', generation: 2, sticky: false });
  expect(state).toMatchObject({ running: { generation: 1 }, committed: { generation: 1 } });
  expect(await requestThrough(rig.port, rig.origin.url)).toBe(204);
});

test('a node that dies during the watch takes the version back, because the last good one is better', async () => {
  await using rig = await openRig();
  const agent = await rig.serve();
  const upstream = await startUpstream();
  const config = upstreamConfig(rig.port, upstream.port);
  agent.offer(rig.order({ generation: 2, config, unit: { watch_ms: 60_000 } }));
  await until(agent, ({ phase }) => phase === 'serving');
  await upstream[Symbol.asyncDispose]();
  const state = await until(agent, isRefused('apply.probe-failed'));
  expect(state).toMatchObject({ nack: { stage: 'watch', sticky: false }, running: { generation: 1 } });
});

test('an outage that the last good version shares is waited for', async () => {
  await using rig = await openRig();
  const agent = await rig.serve();
  const second = directConfig(rig.port, { log: { level: 'warn' } });
  agent.offer(rig.order({ generation: 2, config: second, unit: { watch_ms: 400 } }));
  const { units } = await until(agent, ({ phase }) => phase === 'serving');
  rig.origin.status = 503;
  await until(agent, () => agent.processes().some(({ role }) => role === 'trial'));
  await until(agent, () => agent.processes().every(({ role }) => role === 'live'));
  expect(agent.state).toMatchObject({ phase: 'serving', running: { generation: 2 }, nack: null });
  rig.origin.status = 204;
  expect((await until(agent, isCommitted(2))).units[0]?.pid).toBe(units[0]?.pid);
});

test('an outage during a trial is not held against the candidate', async () => {
  await using rig = await openRig();
  const agent = await rig.serve({ settings: { retry_ms: [50, 60_000] } });
  rig.origin.status = 503;
  agent.offer(rig.order({ generation: 2, config: directConfig(rig.port, { log: { level: 'warn' } }) }));
  const first = await until(agent, isRefused('trial.probe-failed'));
  expect(first.nack?.message).toContain('running version');
  // The second failure would have to wait a minute if it counted.
  await until(agent, ({ nack }) => nack === null);
  await until(agent, isRefused('trial.probe-failed'));
  rig.origin.status = 204;
  await until(agent, isCommitted(2));
});

test('engines outlive the agent; the next one adopts them and hears of their end', async () => {
  await using rig = await openRig();
  const first = await rig.serve();
  const { units } = first.state;
  using stream = await openStream(rig.port, rig.origin.url);
  await first[Symbol.asyncDispose]();

  const second = await rig.boot({ settings: { restart: quickRestarts } });
  const pid = units[0]?.pid ?? 0;
  expect(second.processes()).toMatchObject([{ pid, adopted: true, role: 'live' }]);
  expect(second.state).toMatchObject({ phase: 'committed', running: { generation: 1 } });
  expect(stream.isOpen).toBe(true);

  const config = directConfig(rig.port, { log: { level: 'warn' } });
  second.offer(rig.order({ generation: 2, config, unit: { reload: 'in-place' } }));
  expect((await until(second, isCommitted(2))).units[0]?.pid).toBe(pid);
  process.kill(pid, 'SIGKILL');
  const state = await until(second, (found) => found.units[0]?.restarts === 1 && found.units[0].state === 'running');
  expect(rig.engines()).toEqual([state.units[0]?.pid]);
});

test('engines end with the agent where that is wanted', async () => {
  await using rig = await openRig();
  const agent = await rig.serve({ stopEnginesOnDispose: true });
  await agent[Symbol.asyncDispose]();
  expect(rig.engines()).toEqual([]);
});

test('after a reboot the last committed version is started, without asking anybody', async () => {
  await using rig = await openRig();
  const first = await rig.serve();
  await first[Symbol.asyncDispose]();
  await rig.killEngines();

  const second = await rig.boot();
  expect(second.state).toMatchObject({
    phase: 'committed',
    committed: { generation: 1 },
    units: [{ state: 'running' }],
  });
  expect(await requestThrough(rig.port, rig.origin.url)).toBe(204);
});

test('a version that serves when the agent is killed is watched on by the next one', async () => {
  await using rig = await openRig();
  const first = await rig.boot();
  first.offer(rig.order({ generation: 1, config: directConfig(rig.port), unit: { watch_ms: 1500 } }));
  const { units } = await until(first, ({ phase }) => phase === 'serving');
  await first[Symbol.asyncDispose]();
  const second = await rig.boot();
  expect(second.state).toMatchObject({ phase: 'serving', committed: null, units: [{ pid: units[0]?.pid }] });
  await until(second, isCommitted(1));
});

test('a version that twice was not there any more before it was committed is given up', async () => {
  await using rig = await openRig();
  const first = await rig.serve();
  const order = rig.order({
    generation: 2,
    config: directConfig(rig.port, { log: { level: 'warn' } }),
    unit: { watch_ms: 60_000 },
  });
  first.offer(order);
  let agent = first;
  for (let boot = 1; boot <= 2; boot += 1) {
    await until(agent, ({ phase }) => phase === 'serving');
    await agent[Symbol.asyncDispose]();
    await rig.killEngines();
    agent = await rig.boot();
  }
  const state = await until(agent, ({ nack, phase }) => nack !== null && phase !== 'progressing');
  expect(state).toMatchObject({
    nack: { code: 'engine.crash-loop', generation: 2, sticky: true },
    running: { generation: 1 },
  });
  expect(await requestThrough(rig.port, rig.origin.url)).toBe(204);
});

test('an engine that hangs is started again', async () => {
  await using rig = await openRig();
  const agent = await rig.serve({ settings: { control_ms: 100, stop_ms: 200 } });
  const { units } = agent.state;
  const pid = units[0]?.pid ?? 0;
  process.kill(pid, 'SIGSTOP');
  await until(agent, ({ units: [unit] }) => unit?.state === 'running' && unit.pid !== pid && unit.pid !== null);
  expect(rig.engines()).toHaveLength(1);
  expect(await requestThrough(rig.port, rig.origin.url)).toBe(204);
});

test('an engine of ours that no record knows is ended before another is started', async () => {
  await using rig = await openRig();
  const agent = await rig.serve();
  await agent[Symbol.asyncDispose]();
  const [pid = 0] = rig.engines();
  const slots = path.join(rig.directory, 'slots', 'edge');
  const slot = readFileSync(path.join(slots, 'current', 'slot.json'), 'utf8');
  // Its secret is lost, and so nothing says that it runs what it should.
  writeFileSync(path.join(slots, 'current', 'slot.json'), slot.replace(/"secret":"[0-9a-f]+"/, '"secret":"lost"'));
  rmSync(path.join(rig.directory, 'procs'), { recursive: true });
  await rig.boot({ settings: { start_ms: 300 } });
  expect(rig.engines()).toHaveLength(1);
  expect(rig.engines()).not.toContain(pid);
});

test('an engine that is ready later than hoped for is taken for what it is then', async () => {
  await using rig = await openRig();
  const slow = path.join(rig.directory, 'slow');
  const program = path.join(rig.directory, 'engine');
  writeFileSync(program, `#!/bin/sh\n[ -e ${slow} ] && [ "$1" = run ] && sleep 0.6\nexec ${singBoxPath} "$@"\n`);
  chmodSync(program, 0o755);
  const engines = createEngineFinder({ candidates: [program], spawn });
  const first = await rig.serve({ engines });
  await first[Symbol.asyncDispose]();
  await rig.killEngines();
  writeFileSync(slow, '');

  const second = await rig.boot({ engines, settings: { start_ms: 200, care_every_ms: 300 } });
  const { units } = second.state;
  expect(units).toMatchObject([{ state: 'failed' }]);
  const state = await until(second, (found) => found.units[0]?.state === 'running');
  expect(state).toMatchObject({ phase: 'committed', units: [{ pid: units[0]?.pid, restarts: 0, message: '' }] });
});

test('before anything was committed, what serves is not ended for a newer version that never took over', async () => {
  await using rig = await openRig();
  const first = await rig.boot();
  first.offer(rig.order({ generation: 1, config: directConfig(rig.port), unit: { watch_ms: 60_000 } }));
  const { units } = await until(first, ({ phase }) => phase === 'serving');
  await first[Symbol.asyncDispose]();
  // As the agent leaves it when it is killed after SWITCHED and before the signal.
  const slots = path.join(rig.directory, 'slots', 'edge');
  const journalFile = path.join(rig.directory, 'journal.ndjson');
  const { records } = parseJournal(readFileSync(journalFile, 'utf8'));
  const name = readdirSync(slots).find((entry) => entry.startsWith('1.1-')) ?? '';
  cpSync(path.join(slots, name), path.join(slots, '1.2-1'), { recursive: true });
  const slot = readFileSync(path.join(slots, name, 'slot.json'), 'utf8');
  const other = slot.replace(/"secret":"[0-9a-f]+"/, '"secret":"00"').replace(`"name":"${name}"`, '"name":"1.2-1"');
  writeFileSync(path.join(slots, '1.2-1', 'slot.json'), other);
  const served = records.findLast(({ step }) => step === 'SERVING');
  if (served === undefined) throw new Error('it does not serve');
  const next = served.units.map((unit) => ({ ...unit, slot: '1.2-1' }));
  appendFileSync(journalFile, printLine({ ...served, step: 'SWITCHED', generation: 2, units: next }));

  const second = await rig.boot({ settings: { start_ms: 500 } });
  expect(second.state).toMatchObject({ phase: 'serving', running: { generation: 1 } });
  expect(rig.engines()).toEqual([units[0]?.pid]);
  expect(await requestThrough(rig.port, rig.origin.url)).toBe(204);
});

test.each(['slot.json', 'accepted.json', 'journal.ndjson'])(
  'with a damaged %s a reboot still ends in a proxy',
  async (name) => {
    await using rig = await openRig();
    const first = await rig.boot();
    first.offer(rig.order({ generation: 7, config: directConfig(rig.port) }));
    await until(first, isCommitted(7));
    await first[Symbol.asyncDispose]();
    await rig.killEngines();
    const directory = name === 'slot.json' ? path.join(rig.directory, 'slots', 'edge', 'current') : rig.directory;
    writeFileSync(path.join(directory, name), 'torn');

    const second = await rig.boot();
    await until(second, ({ units }) => units[0]?.state === 'running');
    expect(await requestThrough(rig.port, rig.origin.url)).toBe(204);
    second.offer(rig.order({ generation: 6, config: directConfig(rig.port, { log: { level: 'warn' } }) }));
    await until(second, isRefused('manifest.stale'));
    expect(await requestThrough(rig.port, rig.origin.url)).toBe(204);
  },
);

test('a running engine is adopted also when the journal is lost', async () => {
  await using rig = await openRig();
  const first = await rig.serve();
  const { units } = first.state;
  await first[Symbol.asyncDispose]();
  rmSync(path.join(rig.directory, 'journal.ndjson'));
  const second = await rig.boot();
  expect(second.state).toMatchObject({
    phase: 'committed',
    committed: { generation: 1 },
    units: [{ state: 'running' }],
  });
  expect(rig.engines()).toEqual([units[0]?.pid]);
});
