import type { Clock } from '@sbox/core';
import type { Proc, ProcessIdentity } from './proc.ts';

/** In the environment of an engine, and so of all that it starts: what left its session and lost its parent still has it. */
export const markName = 'SBOX_ENGINE';

type FamilyProc = Pick<Proc, 'pids' | 'kinOf' | 'environmentOf' | 'ownerOf' | 'ownUser' | 'identify' | 'isAlive'>;

/**
 * Everything that an engine started, directly or not, and that lives; without the engine. Group and session say so only
 * while it lives itself: afterwards its number may be that of a stranger, and only the mark counts.
 */
export function findFamily(proc: FamilyProc, head: ProcessIdentity, mark: string | undefined): ProcessIdentity[] {
  const isHeadAlive = proc.isAlive(head);
  const all = new Map(
    proc.pids().flatMap((pid) => {
      const kin = proc.kinOf(pid);
      // What was there before it was started is none of its own; most of what runs is left out so, unread.
      return kin === undefined || Number(kin.starttime) < Number(head.starttime) ? [] : [[pid, kin] as const];
    }),
  );
  const members = new Set(isHeadAlive ? [head.pid] : []);
  for (const [pid, { group, session }] of all) {
    const isBound = isHeadAlive && (group === head.pid || session === head.pid);
    if (isBound || hasMark(proc, pid, mark)) members.add(pid);
  }
  for (let size = 0; size < members.size;) {
    size = members.size;
    for (const [pid, { parent }] of all) if (members.has(parent)) members.add(pid);
  }
  return [...members].flatMap((pid) => {
    const identity = pid === head.pid ? undefined : proc.identify(pid);
    return identity === undefined ? [] : [identity];
  });
}

/**
 * What engines that ran in this directory started, and that lives although they do not; the families of those that are
 * kept go on. An agent that comes after another one finds them so, when nobody watched their engine end.
 */
export function findLeftBehind(proc: FamilyProc, directory: string, kept: readonly number[]): ProcessIdentity[] {
  const keptMarks = new Set(kept.map((pid) => proc.environmentOf(pid, markName)));
  const own = proc.ownUser();
  return proc.pids().flatMap((pid) => {
    const mark = proc.environmentOf(pid, markName);
    if (mark?.startsWith(`${directory}#`) !== true || keptMarks.has(mark) || proc.ownerOf(pid) !== own) return [];
    return proc.identify(pid) ?? [];
  });
}

/** Of our own user only: a mark that somebody else put up must not keep us from starting an engine. */
const hasMark = (proc: FamilyProc, pid: number, mark: string | undefined): boolean =>
  mark !== undefined && proc.ownerOf(pid) === proc.ownUser() && proc.environmentOf(pid, markName) === mark;

export interface EndDeps {
  readonly proc: Pick<Proc, 'isAlive'>;
  readonly clock: Clock;
  readonly kill: (pid: number, signal: NodeJS.Signals) => void;
  readonly pollMs: number;
}

/** Signals each of them that still is what it was; resolves with those that are left after the time. */
export async function endAll(
  deps: EndDeps,
  members: readonly ProcessIdentity[],
  name: NodeJS.Signals,
  withinMs: number,
): Promise<readonly ProcessIdentity[]> {
  for (const member of new Map(members.map((one) => [one.pid, one])).values()) {
    try {
      if (deps.proc.isAlive(member)) deps.kill(member.pid, name);
    } catch {
      // Gone in this very moment, or of another user: it shows below.
    }
  }
  return await untilAllGone(deps, members, withinMs);
}

/** Those that are left when the time is over. */
export async function untilAllGone(
  { proc, clock, pollMs }: EndDeps,
  members: readonly ProcessIdentity[],
  withinMs: number,
): Promise<readonly ProcessIdentity[]> {
  const deadline = clock.monotonic() + withinMs;
  const isAlive = (one: ProcessIdentity): boolean => proc.isAlive(one);
  let left = members.filter(isAlive);
  while (left.length > 0 && clock.monotonic() < deadline) {
    await clock.sleep(Math.min(pollMs, deadline - clock.monotonic()));
    left = left.filter(isAlive);
  }
  return left;
}
