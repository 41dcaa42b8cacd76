import { ProblemError } from '@sbox/core';

/** Who wants something done: a place that requests come from, and whether it proved to be somebody's before. */
export interface Turn {
  readonly place: string;
  readonly isKnown: boolean;
}

export interface FairQueueLimits {
  readonly atOnce: number;
  /** Of one place. */
  readonly waitingOfPlace: number;
  /** Of all places that are known, and of all that are not. */
  readonly waiting: number;
}

interface Waiting extends Turn {
  readonly start: () => void;
}

/**
 * Runs a few at once and lets some wait, known places first. A place has a small share of those who wait: many requests
 * from one take the line away from nobody else.
 * @throws ProblemError `internal.unavailable` for who comes beyond that
 */
export function createFairQueue({ atOnce, waitingOfPlace, waiting: most }: FairQueueLimits) {
  let running = 0;
  const lines: Readonly<Record<'known' | 'unknown', Waiting[]>> = { known: [], unknown: [] };
  const wait = async (turn: Turn): Promise<void> => {
    const line = turn.isKnown ? lines.known : lines.unknown;
    const ofPlace = line.filter(({ place }) => place === turn.place).length;
    if (line.length >= most || ofPlace >= waitingOfPlace)
      throw new ProblemError('internal.unavailable', 'too many people are logging in at this moment');
    await new Promise<void>((resolve) => void line.push({ ...turn, start: resolve }));
  };
  return async <T>(turn: Turn, run: () => Promise<T>): Promise<T> => {
    if (running < atOnce) running += 1;
    // The place of who has finished is handed over, so that nobody who comes in between takes it.
    else await wait(turn);
    try {
      return await run();
    } finally {
      const next = lines.known.shift() ?? lines.unknown.shift();
      if (next) next.start();
      else running -= 1;
    }
  };
}
