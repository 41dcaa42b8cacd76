import type { Clock } from './clock.ts';

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

export interface FakeClock extends Clock {
  /** Moves time forward and wakes, in order, everything that slept until then. */
  advance(ms: number): Promise<void>;
  /** How many sleeps are waiting now. */
  readonly sleeping: number;
  /** Resolves once at least `count` sleeps wait. */
  untilSleeping(count?: number): Promise<void>;
}

/** A clock that stands still until a test moves it. */
export function createFakeClock(startMs = Date.UTC(2026, 0, 1)): FakeClock {
  let elapsed = 0;
  let sleepers: Sleeper[] = [];
  let watchers: { count: number; resolve: () => void }[] = [];

  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  };
  const notify = (): void => {
    for (const watcher of watchers.filter(({ count }) => sleepers.length >= count)) watcher.resolve();
    watchers = watchers.filter(({ count }) => sleepers.length < count);
  };

  return {
    now: () => startMs + elapsed,
    monotonic: () => elapsed,
    get sleeping() {
      return sleepers.length;
    },
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) {
          reject(signal.reason as Error);
          return;
        }
        const abort = (): void => {
          sleepers = sleepers.filter((other) => other !== sleeper);
          reject(signal?.reason as Error);
        };
        const wake = (): void => {
          signal?.removeEventListener('abort', abort);
          resolve();
        };
        const sleeper: Sleeper = { at: elapsed + ms, wake };
        sleepers.push(sleeper);
        signal?.addEventListener('abort', abort, { once: true });
        notify();
      }),
    async untilSleeping(count = 1) {
      if (sleepers.length >= count) return;
      await new Promise<void>((resolve) => watchers.push({ count, resolve }));
    },
    async advance(ms) {
      const target = elapsed + ms;
      for (;;) {
        await settle();
        const next = sleepers.filter(({ at }) => at <= target).toSorted((a, b) => a.at - b.at)[0];
        if (!next) break;
        elapsed = Math.max(elapsed, next.at);
        sleepers = sleepers.filter((other) => other !== next);
        next.wake();
      }
      elapsed = target;
      await settle();
    },
  };
}
