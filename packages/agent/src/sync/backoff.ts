export interface Backoff {
  /** Milliseconds to wait after one more failure; what the other side asked for is the least. */
  next(retryAfterMs?: number): number;
  reset(): void;
  readonly failures: number;
}

export interface BackoffOptions {
  readonly baseMs: number;
  readonly capMs: number;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
}

const longestRetryAfterMs = 3_600_000;

/**
 * Full jitter: anywhere from 0 to a limit that doubles. Of the ways tried it brings a fleet back soonest after an
 * outage, because it spreads the calls evenly (docs/performance.md).
 */
export function createBackoff({ baseMs, capMs, random }: BackoffOptions): Backoff {
  let failures = 0;
  return {
    get failures() {
      return failures;
    },
    next(retryAfterMs = 0) {
      const limit = Math.min(capMs, baseMs * 2 ** Math.min(failures, 30));
      failures += 1;
      const asked = Math.min(Math.max(retryAfterMs, 0), longestRetryAfterMs);
      return asked + random() * limit;
    },
    reset() {
      failures = 0;
    },
  };
}
