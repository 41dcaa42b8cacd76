import type { OomFinding } from './oom.ts';

/** `oom`: the kernel ended it for want of memory. `unknown`: nobody could see how, as it was no child of this agent. */
export type ExitReason = 'code' | 'signal' | 'oom' | 'unknown';

export interface Exit {
  /** Null when a signal ended it, or when the agent that started it is gone. */
  readonly code: number | null;
  readonly signal: string | null;
  readonly uptimeMs: number;
  readonly reason: ExitReason;
}

export interface ExitFacts {
  readonly code: number | null;
  readonly signal: string | null;
  /** A KILL that this agent sent. */
  readonly isKilledByUs: boolean;
  readonly oom: OomFinding;
}

/** Pure. The kernel's OOM killer sends KILL like anybody else; its counter is what tells them apart. */
export function reasonOf({ code, signal, isKilledByUs, oom }: ExitFacts): ExitReason {
  if (code !== null) return 'code';
  if (!isKilledByUs && oom !== 'no' && signal === 'SIGKILL') return 'oom';
  // Of a process that is no child nobody knows the signal: then only the counter of its own cgroup is enough.
  if (!isKilledByUs && oom === 'here' && signal === null) return 'oom';
  return signal === null ? 'unknown' : 'signal';
}

/** For people; says what to do where somebody has to do something. `out of memory` tells that the bytes are not to blame. */
export function describeExit({ code, signal, reason }: Exit): string {
  if (reason === 'oom') {
    return 'the kernel ended it, out of memory (OOM); give the server or its service more, or make the config smaller';
  }
  if (code !== null) return `it ended with code ${code}`;
  return signal === null ? 'it ended' : `it was ended by ${signal}`;
}

/** Signals of a program's own fault; of all others its words know nothing. */
const ownSignals = new Set(['SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGSEGV', 'SIGSYS', 'SIGTRAP']);

/** The engine's own words where they can be why it ended. Nobody knows that of one that was no child of this agent. */
export function whyEnded(exit: Exit, said: string): string {
  const { reason, signal } = exit;
  if (said === '' || reason === 'oom' || (signal !== null && !ownSignals.has(signal))) return describeExit(exit);
  return reason === 'code' ? said : `${describeExit(exit)}; it said before: ${said}`;
}
