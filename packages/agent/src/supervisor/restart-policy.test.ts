import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decideRestart, freshRestartState, restartDefaults, type RestartDecision } from './restart-policy.ts';

/** Exits in a row, each after the same time up; time passes by delay and time up. */
function exits(count: number, uptimeMs: number, random = 1): RestartDecision[] {
  const decisions: RestartDecision[] = [];
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    at += uptimeMs;
    const last = decisions.at(-1);
    const next = decideRestart(last?.state ?? freshRestartState, { at, uptimeMs, random }, restartDefaults);
    at += next.delayMs;
    decisions.push(next);
  }
  return decisions;
}

describe('the wait before a new start', () => {
  test('doubles until the fifth exit, which is a crash loop', () => {
    expect(exits(8, 100).map(({ delayMs, isCrashLoop }) => [delayMs, isCrashLoop])).toEqual([
      [500, false],
      [1000, false],
      [2000, false],
      [4000, false],
      [72_000, true],
      [144_000, true],
      [288_000, true],
      [300_000, true],
    ]);
  });

  test('has full jitter below the crash loop and never less than the pace in it', () => {
    expect(exits(5, 100, 0).map(({ delayMs }) => delayMs)).toEqual([0, 0, 0, 0, 60_000]);
  });

  test('begins anew after a stable time', () => {
    const crashed = exits(4, 100).at(-1);
    const next = decideRestart(
      crashed?.state ?? freshRestartState,
      { at: 200_000, uptimeMs: 60_000, random: 1 },
      restartDefaults,
    );
    expect(next).toMatchObject({ delayMs: 500, isCrashLoop: false });
  });

  test('a stable time forgets exits that are inside the window too', () => {
    const crashed = exits(4, 100).at(-1)?.state ?? freshRestartState;
    const next = decideRestart(crashed, { at: 68_000, uptimeMs: 60_000, random: 1 }, restartDefaults);
    expect(next).toMatchObject({ delayMs: 500, isCrashLoop: false });
  });

  test('is capped at a minute for one that lives for a while each time, which is no crash loop', () => {
    const delays = exits(12, 50_000).map(({ delayMs, isCrashLoop }) => [delayMs, isCrashLoop]);
    expect(delays.slice(-2)).toEqual([
      [60_000, false],
      [60_000, false],
    ]);
  });

  test('is a crash loop exactly from the fifth exit in two minutes on, until a stable time', () => {
    const lives = fc.array(
      fc.record({ up: fc.integer({ min: 0, max: 90_000 }), random: fc.double({ min: 0, max: 1, noNaN: true }) }),
      { maxLength: 40 },
    );
    fc.assert(
      fc.property(lives, (series) => {
        let [state, at, isLooping] = [freshRestartState, 0, false];
        let recent: number[] = [];
        for (const { up, random } of series) {
          at += up;
          if (up >= 60_000) [recent, isLooping] = [[], false];
          recent = [...recent, at].filter((time) => at - time < 120_000);
          isLooping ||= recent.length >= 5;
          const next = decideRestart(state, { at, uptimeMs: up, random }, restartDefaults);
          expect(next.isCrashLoop).toBe(isLooping);
          if (isLooping) expect(next.delayMs).toBeGreaterThanOrEqual(60_000);
          else expect(next.delayMs).toBeLessThanOrEqual(60_000);
          [state, at] = [next.state, at + next.delayMs];
        }
      }),
    );
  });

  test('exits far apart are no crash loop', () => {
    expect(exits(20, 61_000).every(({ isCrashLoop, delayMs }) => !isCrashLoop && delayMs <= 500)).toBe(true);
  });

  test('an engine that never lives is started less than once in 30 seconds', () => {
    const random = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 30, maxLength: 60 });
    fc.assert(
      fc.property(random, (numbers) => {
        let [state, at] = [freshRestartState, 0];
        for (const number of numbers) {
          const next = decideRestart(state, { at, uptimeMs: 0, random: number }, restartDefaults);
          expect(next.delayMs).toBeGreaterThanOrEqual(0);
          expect(next.delayMs).toBeLessThanOrEqual(restartDefaults.pace_max_ms);
          [state, at] = [next.state, at + next.delayMs];
        }
        expect(at / numbers.length).toBeGreaterThan(30_000);
      }),
    );
  });
});
