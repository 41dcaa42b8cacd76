import type { Clock } from '@sbox/core';
import type { Logger } from '@sbox/daemon/log';
import type { Exit } from './exit.ts';
import type { Proc, ProcessIdentity } from './proc.ts';

export type Ended = Pick<Exit, 'code' | 'signal'>;

export interface GoneDeps {
  readonly proc: Pick<Proc, 'isAlive' | 'watchEnd'>;
  readonly clock: Clock;
  readonly pollMs: number;
  readonly log?: Logger | undefined;
}

/** With a pipe, looking is only for engines whose own children keep it open. */
const slowPolls = 20;
const firstPauseMs = 1;

export interface Patience {
  /** Nobody waits any more. */
  readonly released: AbortSignal;
  /** It is being ended: from now on it is looked at often. */
  readonly hurried: AbortSignal;
}

/** Resolves when a process is gone that is no child of ours: the pipe wakes, /proc decides. Never when it is released. */
export async function untilGone(
  deps: GoneDeps,
  identity: ProcessIdentity,
  { released, hurried }: Patience,
): Promise<Ended> {
  const { proc, clock, pollMs, log } = deps;
  const end = proc.watchEnd(identity.pid);
  if (end === undefined) log?.debug('The end of an adopted engine is seen by looking only', { pid: identity.pid });
  let pauseMs = end === undefined ? pollMs : firstPauseMs;
  try {
    while (proc.isAlive(identity) && !released.aborted) {
      const isQuiet = end !== undefined && !end.ended.aborted && !hurried.aborted;
      const wake = isQuiet ? AbortSignal.any([released, hurried, end.ended]) : released;
      await clock.sleep(isQuiet ? pollMs * slowPolls : pauseMs, wake).catch(() => {});
      // The kernel closes the pipe a moment before the process is gone.
      if (!isQuiet) pauseMs = Math.min(pollMs, pauseMs * 2);
    }
    if (!released.aborted) return { code: null, signal: null };
  } finally {
    end?.[Symbol.dispose]();
  }
  return await new Promise(() => {});
}
