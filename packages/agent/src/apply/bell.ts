import { ProblemError, type Clock } from '@sbox/core';

/** Wakes the one who waits; a ring that nobody heard is kept for the next wait. */
export interface Bell {
  ring(): void;
  /** Until the bell rings (then true), the time is over, or the signal aborts. */
  wait(ms: number, signal: AbortSignal): Promise<boolean>;
}

export function createBell(clock: Clock): Bell {
  let rung = new AbortController();
  return {
    ring: () => rung.abort(new ProblemError('command.failed', 'rung')),
    async wait(ms, signal) {
      const either = AbortSignal.any([rung.signal, signal]);
      await clock.sleep(Math.max(0, ms), either).catch(() => {});
      const isRung = rung.signal.aborted;
      if (isRung) rung = new AbortController();
      return isRung;
    },
  };
}
