import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { pinnedSingBox, type TestDirectory } from '../../src/index.ts';
import { startScenario } from './bundled.ts';

const pause = async (ms: number): Promise<void> => await new Promise((resolve) => setTimeout(resolve, ms));

/** An engine that notes each start, and that does not start any more once the file `broken` is there. */
function writeEngine(dir: TestDirectory): undefined {
  const file = dir.file('engine');
  const lines = [
    '#!/bin/sh',
    'if [ "$1" = run ] || [ "$3" = run ]; then',
    `  echo x >> ${dir.file('starts')}`,
    `  [ ! -e ${dir.file('broken')} ] || { echo 'FATAL[0000] start service: not this version' >&2; exit 1; }`,
    'fi',
    `exec ${pinnedSingBox()} "$@"`,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  chmodSync(file, 0o755);
}

const startsIn = (dir: TestDirectory): number =>
  existsSync(dir.file('starts')) ? readFileSync(dir.file('starts'), 'utf8').length / 2 : 0;

test('scenario 14: an engine that was upgraded and runs no version any more: told, and tried at a slow pace', async () => {
  await using scenario = await startScenario({
    prepare: writeEngine,
    settingsIn: (dir) => ({ ENGINE_SING_BOX: dir.file('engine') }),
  });
  const { agent, dir } = scenario;
  await scenario.untilCommitted(await scenario.order([scenario.unit(2)]));
  writeFileSync(dir.file('broken'), '');
  process.kill((await agent.enginePid()) ?? 0, 'SIGKILL');

  const slow = /next start at (\S+)/;
  const status = await agent.until(
    'in a crash loop, the version before it too',
    ({ nack, units: [unit] }) =>
      nack?.code === 'engine.crash-loop' && unit?.state === 'crash-loop' && slow.test(unit.message),
    60_000,
  );
  const [, nextAt = ''] = slow.exec(status.units[0]?.message ?? '') ?? [];
  expect(Date.parse(nextAt) - Date.now()).toBeGreaterThan(50_000);
  expect(status.units[0]?.message).toContain('not this version');
  expect(status.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'false' }));
  const starts = startsIn(dir);
  await pause(3000);
  expect(startsIn(dir)).toBe(starts);
  expect(scenario.engines()).toEqual([]);
}, 120_000);

test('scenario 19: an engine that ends while no agent runs is started as soon as one does', async () => {
  await using scenario = await startScenario();
  const { agent } = scenario;
  await agent.kill();
  const [engine] = scenario.engines();
  process.kill(engine?.pid ?? 0, 'SIGKILL');
  while (scenario.engines().length > 0) await pause(5);
  await expect(scenario.request()).rejects.toThrow();

  await agent.start();
  const upMs = performance.now();
  const status = await agent.until('running', ({ units }) => units[0]?.state === 'running');
  expect(performance.now() - upMs).toBeLessThan(1000);
  expect(status).toMatchObject({ phase: 'committed', running: { generation: 1 } });
  expect(status.units[0]?.pid).not.toBe(engine?.pid);
  expect(await scenario.request()).toBe('origin-ok');
});

test('scenario 22: an agent that stands still, and its end: engines and their connections do not notice', async () => {
  await using scenario = await startScenario();
  const { agent } = scenario;
  const pid = await agent.enginePid();
  using stream = await scenario.stream();
  agent.process.kill('SIGSTOP');
  for (let request = 0; request < 20; request += 1) expect(await scenario.request()).toBe('origin-ok');
  // What a watchdog does to it; that systemd has one belongs to the packaging.
  await agent.kill();
  await agent.start();
  await agent.until('running again', ({ units }) => units[0]?.state === 'running' && units[0].pid === pid);
  await stream.nextBytes();
  expect(scenario.engines().map((engine) => engine.pid)).toEqual([pid]);
});
