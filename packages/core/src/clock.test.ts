import { describe, expect, test } from '@jest/globals';
import { isoTime, systemClock } from './clock.ts';
import { createFakeClock } from './fake-clock.ts';

test('times are written in UTC to the millisecond, so that they sort as text', () => {
  expect(isoTime(0)).toBe('1970-01-01T00:00:00.000Z');
});

describe('the clock of the machine', () => {
  test('wakes, and an abort ends the sleep with its reason', async () => {
    const before = systemClock.monotonic();
    await systemClock.sleep(5);
    expect(systemClock.monotonic()).toBeGreaterThanOrEqual(before + 4);
    const controller = new AbortController();
    const sleep = systemClock.sleep(60_000, controller.signal);
    controller.abort(new Error('enough'));
    await expect(sleep).rejects.toThrow('enough');
    await expect(systemClock.sleep(60_000, AbortSignal.abort(new Error('before')))).rejects.toThrow('before');
  });
});

test('a sleep of months does not end at once', async () => {
  const controller = new AbortController();
  const long = systemClock.sleep(90 * 86_400_000, controller.signal).catch(() => 'stopped');
  expect(await Promise.race([long, systemClock.sleep(20).then(() => 'still asleep')])).toBe('still asleep');
  controller.abort();
  expect(await long).toBe('stopped');
});

describe('the clock of tests', () => {
  test('stands still until it is moved, and wakes in order', async () => {
    const clock = createFakeClock(1000);
    const woken: string[] = [];
    const sleep = async (name: string, ms: number) => {
      await clock.sleep(ms);
      woken.push(`${name} ${clock.monotonic()} ${clock.now()}`);
    };
    const all = Promise.all([sleep('b', 20), sleep('a', 10), sleep('c', 20)]);
    expect(clock.sleeping).toBe(3);
    await clock.advance(19);
    expect(woken).toEqual(['a 10 1010']);
    await clock.advance(1);
    await all;
    expect(woken).toEqual(['a 10 1010', 'b 20 1020', 'c 20 1020']);
    expect(clock.sleeping).toBe(0);
  });

  test('wakes what falls asleep again on the way', async () => {
    const clock = createFakeClock();
    let turns = 0;
    const loop = async () => {
      for (; turns < 5; turns += 1) await clock.sleep(10);
    };
    const done = loop();
    await clock.advance(50);
    await done;
    expect([turns, clock.monotonic()]).toEqual([5, 50]);
  });

  test('an abort ends a sleep with its reason and leaves nothing behind', async () => {
    const clock = createFakeClock();
    const controller = new AbortController();
    const sleep = clock.sleep(10, controller.signal);
    controller.abort(new Error('enough'));
    await expect(sleep).rejects.toThrow('enough');
    expect(clock.sleeping).toBe(0);
    await expect(clock.sleep(10, controller.signal)).rejects.toThrow('enough');
  });

  test('tells when so many sleep', async () => {
    const clock = createFakeClock();
    const waiting = clock.untilSleeping(2).then(() => 'both');
    void clock.sleep(1);
    expect(await Promise.race([waiting, Promise.resolve('not yet')])).toBe('not yet');
    void clock.sleep(1);
    expect(await waiting).toBe('both');
    await clock.untilSleeping(2);
  });
});
