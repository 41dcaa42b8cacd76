/** Time as everything in sbox sees it; tests pass their own. */
export interface Clock {
  /** Wall clock, milliseconds since 1970. May jump; for people and for signatures. */
  now(): number;
  /** Milliseconds that only grow; for time-outs and durations. */
  monotonic(): number;
  /** Waits; rejects with the signal's reason when it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** RFC 3339 in UTC, to the millisecond. */
export const isoTime = (ms: number): string => new Date(ms).toISOString();

/** Node's timers end at once when they are asked for more. */
const longestTimerMs = 2 ** 31 - 1;

/** The time of this machine. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason as Error);
        return;
      }
      let timer: ReturnType<typeof setTimeout>;
      const abort = (): void => {
        clearTimeout(timer);
        reject(signal?.reason as Error);
      };
      const wait = (leftMs: number): void => {
        timer = setTimeout(
          () => {
            if (leftMs > longestTimerMs) {
              wait(leftMs - longestTimerMs);
              return;
            }
            signal?.removeEventListener('abort', abort);
            resolve();
          },
          Math.min(leftMs, longestTimerMs),
        );
      };
      wait(ms);
      signal?.addEventListener('abort', abort, { once: true });
    }),
};
