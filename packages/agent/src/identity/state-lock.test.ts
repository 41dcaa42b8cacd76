import { expect, test } from '@jest/globals';
import { readdir, readlink, writeFile } from 'node:fs/promises';
import { openBench } from '../../test/agent-bench.ts';
import { openStateDirectory, statePaths } from './identity.ts';
import { openStateLock, readStartTime } from './state-lock.ts';

test('one of many starters gets the directory, also when a dead one left its lock', async () => {
  await using bench = await openBench();
  const { stateDir } = bench;
  await openStateDirectory(stateDir);
  // The pid belongs to a process that started at another time.
  await writeFile(statePaths(stateDir).lock, `${process.pid} 1`);
  const startTime = (pid: number): string => (pid === process.pid ? '7' : String(pid));
  const starters = Array.from(
    { length: 20 },
    async (_, index) => await openStateLock({ stateDir, pid: 100_000 + index, startTime }),
  );
  const results = await Promise.allSettled(starters);
  const winners = results.filter((result) => result.status === 'fulfilled');
  expect(winners).toHaveLength(1);
  for (const result of results)
    if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'agent.running' });
  await winners[0]?.value[Symbol.asyncDispose]();
  expect(await readdir(stateDir)).toEqual([]);
});

test('a lock from before a reboot is no lock, though the same pid began at the same tick', async () => {
  await using bench = await openBench();
  const { stateDir } = bench;
  await openStateDirectory(stateDir);
  await writeFile(statePaths(stateDir).lock, `${process.pid} 7 before`);
  const startTime = (): string => '7';
  await using _ = await openStateLock({ stateDir, pid: process.pid, startTime, bootId: 'after' });
  await expect(openStateLock({ stateDir, pid: 4, startTime, bootId: 'after' })).rejects.toMatchObject({
    code: 'agent.running',
  });
});

test('a lock has no content of its own, so that it fits on a full disk', async () => {
  await using bench = await openBench();
  const { stateDir } = bench;
  await openStateDirectory(stateDir);
  await using _ = await openStateLock({ stateDir, pid: process.pid, startTime: () => '7', bootId: 'now' });
  expect(await readdir(stateDir)).toEqual(['agent.lock']);
  expect(await readlink(statePaths(stateDir).lock)).toBe(`${process.pid} 7 now`);
});

test('the start time of this process is known, of a process that is not there it is not', () => {
  expect(readStartTime(process.pid)).toMatch(/^\d+$/);
  expect(readStartTime(4_194_305)).toBeUndefined();
});
