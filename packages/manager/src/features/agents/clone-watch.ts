import { ProblemError, type Clock } from '@sbox/core';

export interface CloneWatchDeps {
  readonly clock: Clock;
  readonly onCloned: (serverId: string, detail: string) => void;
}

export interface CloneWatch {
  /**
   * Takes note of which run of an agent asks; agents that do not say so are not watched.
   * @throws ProblemError `server.identity-cloned` for a machine that came second with an identity
   */
  admit(serverId: string, bootId: string | undefined): void;
}

interface Runs {
  bootId: string;
  sinceMs: number;
  seenMs: number;
  /** The run before; a restarted agent never comes back with it. */
  before: string | undefined;
  /** Requests of the run before that came after the first one of this run. */
  late: number;
  readonly refused: Set<string>;
}

/**
 * Requests of a run that ended may come late: the kernel goes on sending what a dead process wrote, and proxies hold it
 * back. A signature is good for so long, and an agent waits for so few answers at once.
 */
const lateMs = 60_000;
const maxLate = 8;
/** The first machine was switched off: the other may have the identity. */
const goneMs = 600_000;
const maxRefused = 16;

/**
 * Tells a restart from a copied identity: each run of an agent has an id of its own, and one that was followed by
 * another never comes back, unless both are alive. Then the one that was there first goes on.
 */
export function createCloneWatch({ clock, onCloned }: CloneWatchDeps): CloneWatch {
  const servers = new Map<string, Runs>();

  const refuse = (serverId: string): never => {
    throw new ProblemError('server.identity-cloned', `another machine runs as ${serverId}`);
  };
  const follow = (runs: Runs, bootId: string, now: number): void => {
    runs.before = runs.bootId;
    runs.bootId = bootId;
    runs.sinceMs = now;
    runs.late = 0;
  };

  return {
    admit(serverId, bootId) {
      if (bootId === undefined || bootId === '') return;
      const now = clock.monotonic();
      const first: Runs = { bootId, sinceMs: now, seenMs: now, before: undefined, late: 0, refused: new Set() };
      const runs = servers.get(serverId) ?? first;
      servers.set(serverId, runs);
      if (runs.refused.has(bootId)) {
        if (now - runs.seenMs < goneMs) refuse(serverId);
        runs.refused.clear();
      }
      if (bootId === runs.before) {
        runs.late += 1;
        if (now - runs.sinceMs < lateMs && runs.late <= maxLate) return;
        // The one that was there first is heard again: the other one is its copy.
        const copy = runs.bootId;
        if (runs.refused.size < maxRefused) runs.refused.add(copy);
        follow(runs, bootId, now);
        runs.before = undefined;
        onCloned(serverId, `run ${copy} uses the identity of run ${bootId}, which goes on`);
      } else if (bootId !== runs.bootId) follow(runs, bootId, now);
      runs.seenMs = now;
    },
  };
}
