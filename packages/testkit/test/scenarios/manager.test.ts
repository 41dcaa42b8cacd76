import path from 'node:path';
import { expect, test } from '@jest/globals';
import { pinnedSingBox, startFleet, startProcess } from '../../src/index.ts';
import { readUnitEnvironment } from '../../src/agent-bundle.ts';
import { readProcessUsage } from '../../src/process-usage.ts';

const programOf = (name: string): string => path.join(import.meta.dirname, `../../../${name}/src/main.ts`);

/** What an agent tries in 24 hours once its waits are 60 s, which here are milliseconds. */
const triesOfADay = 1440;
/** By then everything is loaded and compiled that an absent manager makes an agent do. */
const warmTries = 1000;
const maxGrowth = 1.05;
const readingsEach = 5;
const triesBetween = 60;
/** Garbage is no growth. */
const collectOnSignal = "--expose-gc --import=data:text/javascript,process.on('SIGUSR2',()=>gc())";

test('scenario 2: a manager that is away for a day of tries: same engine, same memory, and both agree again', async () => {
  const unit = await readUnitEnvironment();
  await using fleet = await startFleet({
    agent: { SYNC_RETRY_BASE: '2ms', SYNC_RETRY_CAP: '10ms', SYNC_HEARTBEAT: '100ms' },
    agentProgram: {
      file: programOf('agent'),
      // As its systemd unit has it: otherwise the heap grows because it may.
      environment: { ...unit, NODE_OPTIONS: `${unit['NODE_OPTIONS']} ${collectOnSignal}` },
    },
  });
  const { agent, manager } = fleet;
  const pid = await agent.enginePid();
  using stream = await fleet.stream();
  await manager.kill();
  const keptAt = async (tries: number): Promise<number> => {
    const readings: number[] = [];
    // What the collector gives back to the system varies by megabytes from one time to the next: the smallest counts.
    for (let at = tries; at < tries + readingsEach * triesBetween; at += triesBetween) {
      await agent.until(`at try ${at}`, (status) => (status.manager?.tries ?? 0) >= at, 60_000);
      agent.process.kill('SIGUSR2');
      // It answers again once it has collected.
      await agent.local.status();
      await agent.local.status();
      readings.push(readProcessUsage(agent.process.pid).anon_mb);
    }
    return Math.min(...readings);
  };
  const before = await keptAt(warmTries);
  const after = await keptAt(warmTries + triesOfADay);
  expect(after).toBeLessThan(before * maxGrowth);
  const { items } = await agent.local.events({ query: { limit: 1000 } });
  expect(items.length).toBeLessThanOrEqual(1000);
  expect(await agent.enginePid()).toBe(pid);
  await stream.nextBytes();

  await manager.restart();
  await agent.until('in touch again', (status) => status.manager?.reachable === true);
  fleet.provider.setBody('renamed');
  await manager.client.subscriptions.refresh({ params: { id: 'provider' } });
  await fleet.untilServer('on the next version', ({ status }) => status?.committed?.generation === 2);
}, 180_000);

test('scenario 29: a manager that was paused and one that is started meanwhile: only one of them ever leads', async () => {
  await using fleet = await startFleet();
  const { agent, manager } = fleet;
  manager.process.kill('SIGSTOP');
  await using second = await startProcess({
    command: process.execPath,
    args: [
      '--disable-warning=ExperimentalWarning',
      programOf('cli'),
      'serve',
      '--data',
      fleet.dir.file('manager'),
      '--engine',
      pinnedSingBox(),
    ],
    env: { SBOXMGR_LISTEN: '[{"address":"127.0.0.1:0","tls":"off"}]' },
  });
  expect((await second.exited).code).not.toBe(0);
  expect(second.output()).toContain('a manager already runs on this data');
  manager.process.kill('SIGCONT');

  fleet.provider.setBody('renamed');
  await manager.client.subscriptions.refresh({ params: { id: 'provider' } });
  const status = await agent.until('on the next version', ({ committed }) => committed?.generation === 2);
  expect(status.nack).toBeNull();
  const generations = (await agent.local.history()).items.map(({ generation }) => generation);
  expect(generations).toEqual([2, 1]);
});
