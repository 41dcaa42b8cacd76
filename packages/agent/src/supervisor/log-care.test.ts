import { appendFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createFakeClock } from '@sbox/core';
import { silentLogger } from '@sbox/daemon/log';
import { expect, test } from '@jest/globals';
import { makeTestDirectory } from '../../test/test-directory.ts';
import { startLogCare } from './log-care.ts';
import { createLogFile, type LogFile } from './log-file.ts';

const directory = makeTestDirectory('log-care');

/** Waits until the loop sleeps again: its looks are real reads. */
async function tick(clock: ReturnType<typeof createFakeClock>, ms: number): Promise<void> {
  await clock.advance(ms);
  await clock.untilSleeping();
}

test('a flood is cut every second, and a quiet log is looked at rarely', async () => {
  const clock = createFakeClock();
  const real = createLogFile(path.join(directory, 'a.log'), { maxBytes: 200_000, files: 2, linesPerSecond: 1000 });
  const looks: number[] = [];
  const counted: LogFile = {
    ...real,
    async trim(elapsedMs) {
      looks.push(elapsedMs);
      return await real.trim(elapsedMs);
    },
  };
  writeFileSync(real.file, '');
  const care = startLogCare({ clock, logs: () => [counted], log: silentLogger, everyMs: 5000 });
  await clock.untilSleeping();
  await tick(clock, 5000);
  await tick(clock, 5000);
  for (let second = 0; second < 3; second += 1) {
    appendFileSync(real.file, `${second} ${'x'.repeat(98)}\n`.repeat(20_000));
    await tick(clock, second === 0 ? 5000 : 1000);
  }
  await tick(clock, 1000);
  await tick(clock, 5000);
  expect(looks).toEqual([5000, 5000, 5000, 1000, 1000, 1000, 5000]);
  // 5,000 lines and the last ones at first, then 1,000 a second: too long at once, and later short enough.
  expect(existsSync(`${real.file}.1`)).toBe(true);
  expect(readFileSync(`${real.file}.1`, 'utf8')).toContain('lines: more than 1000 a second');
  expect(statSync(real.file).size).toBeLessThan(300_000);
  await care[Symbol.asyncDispose]();
  expect(clock.sleeping).toBe(0);
});

test('a log that cannot be cut does not keep the others from it', async () => {
  const clock = createFakeClock();
  const [bad, good] = ['bad', 'good'].map((name) =>
    createLogFile(path.join(directory, name), { maxBytes: 10, files: 1, linesPerSecond: 0 }),
  ) as [LogFile, LogFile];
  appendFileSync(good.file, 'x'.repeat(100));
  const failing: LogFile = { ...bad, rotate: async () => await Promise.reject(new Error('EIO')) };
  const care = startLogCare({ clock, logs: () => [failing, good], log: silentLogger, everyMs: 5000 });
  await clock.untilSleeping();
  await tick(clock, 5000);
  expect(statSync(good.file).size).toBe(0);
  await care[Symbol.asyncDispose]();
});
