import type { Clock } from '@sbox/core';

/** A wait that others can end early; a call that comes while nobody waits ends the next wait. */
export interface Waker {
  /** True when it was woken, false when the time is over. Rejects when the signal aborts. */
  wait(ms: number, signal: AbortSignal): Promise<boolean>;
  wake(): void;
}

export function createWaker(clock: Clock): Waker {
  let isWoken = false;
  let current: AbortController | undefined;
  return {
    async wait(ms, signal) {
      signal.throwIfAborted();
      const waiting = new AbortController();
      current = waiting;
      try {
        if (!isWoken) await clock.sleep(ms, AbortSignal.any([signal, waiting.signal]));
      } catch {
        signal.throwIfAborted();
      } finally {
        current = undefined;
      }
      const woken = isWoken;
      isWoken = false;
      return woken;
    },
    wake() {
      isWoken = true;
      current?.abort();
    },
  };
}
