import { isoTime, problemRow, ProblemError, type Clock, type ProblemCode } from '@sbox/core';
import type { Store } from '../../database/store.ts';
import type { Actor } from './acting.ts';
import { appendEntry } from './append-entry.ts';
import { describeActor } from './record-change.ts';

export interface RefusalsDeps {
  readonly store: Store;
  readonly clock: Clock;
}

export interface Refusals {
  /** Records that a request was denied or failed: at once, or in what is counted for the minute. */
  add(actor: Actor, error: unknown): Promise<void>;
  /** Writes what was counted in minutes that are over; with `all`, in this one too. */
  flush(all?: boolean): Promise<void>;
}

/** Entries a minute of one person or program; what it does beyond that is counted. */
const mostOfCaller = 60;
/** Words that a counted entry names of each kind. */
const mostNamed = 10;
const minuteMs = 60_000;

interface Counted {
  readonly sinceMs: number;
  readonly result: string;
  count: number;
  readonly addresses: Set<string>;
  readonly actions: Set<string>;
  readonly actors: Set<string>;
}

/** What a request that was not done is called in the log, and by which code. */
export function verdictOn(error: unknown): { readonly result: 'denied' | 'failed'; readonly code: ProblemCode } {
  const code = error instanceof ProblemError ? error.code : 'internal.error';
  return { code, result: [401, 403, 429].includes(problemRow(code).status) ? 'denied' : 'failed' };
}

/**
 * Requests that came to nothing. Those of known callers are entries. Those of strangers, and those over a limit, anybody
 * can send as many of as the line carries: they are counted, and one entry a minute for each code says how many there
 * were, so that the log cannot be made to fill the disk.
 */
export function createRefusals({ store, clock }: RefusalsDeps): Refusals {
  const counts = new Map<string, Counted>();
  const written = new Map<string, number>();
  let minute = 0;

  const isOverBudget = (callerId: string): boolean => {
    const now = Math.floor(clock.now() / minuteMs);
    if (now !== minute) written.clear();
    minute = now;
    const before = written.get(callerId) ?? 0;
    written.set(callerId, before + 1);
    return before >= mostOfCaller;
  };
  const count = ({ caller, remoteAddress, routeId }: Actor, code: string, result: string): void => {
    const empty = { addresses: new Set<string>(), actions: new Set<string>(), actors: new Set<string>() };
    const known = counts.get(code) ?? { sinceMs: clock.now(), result, count: 0, ...empty };
    known.count += 1;
    for (const [words, word] of [
      [known.addresses, remoteAddress],
      [known.actions, routeId],
      [known.actors, caller.id],
    ] as const)
      if (words.size < mostNamed) words.add(word);
    counts.set(code, known);
  };

  return {
    async add(actor, error) {
      const { code, result } = verdictOn(error);
      const { kind, id, user_id } = actor.caller;
      // Of a person, not of each of their tokens: they get as many of these as they like by logging in.
      if (kind === 'anonymous' || code === 'request.rate-limited' || isOverBudget(user_id ?? id))
        return count(actor, code, result);
      await store.transaction(
        async ({ audit }) => await appendEntry(audit, clock, { ...describeActor(actor), result, code, change: [] }),
      );
    },
    async flush(all = false) {
      const due = [...counts].filter(([, { sinceMs }]) => all || sinceMs <= clock.now() - minuteMs);
      if (due.length === 0) return;
      for (const [code] of due) counts.delete(code);
      try {
        await store.transaction(async ({ audit }) => {
          for (const [code, counted] of due) await appendEntry(audit, clock, { ...describeCounted(counted), code });
        });
      } catch (error) {
        // Kept for the next time, together with what came meanwhile.
        for (const [code, counted] of due)
          counts.set(code, { ...counted, count: counted.count + (counts.get(code)?.count ?? 0) });
        throw error;
      }
    },
  };
}

const describeCounted = ({ sinceMs, result, count, addresses, actions, actors }: Counted) => ({
  ...strangers,
  result,
  object: {
    count,
    since: isoTime(sinceMs),
    addresses: [...addresses],
    actions: [...actions],
    actors: [...actors],
  },
});

const strangers = {
  actor_type: 'anonymous',
  actor_id: 'anonymous',
  actor_name: 'anonymous',
  token_id: null,
  ip: '',
  request_id: '',
  action: '*',
  change: [],
};
