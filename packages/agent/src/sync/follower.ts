import { messageOf, ProblemError, type Clock } from '@sbox/core';
import type { Logger } from '@sbox/daemon/log';
import type { BytesAnswer, Manifest } from '@sbox/protocol';
import type { AgentClient } from './agent-client.ts';
import { createBackoff, type Backoff } from './backoff.ts';
import type { Reachability } from './reachability.ts';
import type { Waker } from './waker.ts';

export interface FollowerDeps {
  readonly client: Pick<AgentClient, 'desired'>;
  /** Verifies and hands on; throws `remote.failed` when the bytes were no envelope, any other problem is a refusal. */
  readonly take: (envelope: Uint8Array) => Promise<Manifest>;
  /** A manifest was refused, or (null) one was taken. */
  readonly onVerdict: (refusal: ProblemError | null, etag: string | undefined) => void;
  /** The manager answered with a problem, or did not answer. */
  readonly onFailure?: (code: string) => void;
  readonly reachability: Reachability;
  readonly waker: Waker;
  /** Whether hints come in, so that asking becomes a slow check. */
  readonly hasHints: () => boolean;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  /** Milliseconds. */
  readonly settings: {
    readonly wait: number;
    readonly poll: number;
    readonly resync: number;
    readonly retry_base: number;
    readonly retry_cap: number;
  };
}

export interface Follower {
  /** Asks for ever. Resolves when the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** The next question is for the whole manifest, also when it did not change. */
  forget(): void;
  /** The manager has something newer than what is followed here. */
  missed(): void;
}

const revokedPauseMs = 3_600_000;
const clonedPauseMs = 300_000;
export const clonedReason = 'another machine runs with the identity of this server';
/** Held questions of a fleet must not end together, so each asks for up to so much less. */
const waitJitterMs = 15_000;

interface Memory {
  /** ETag of the last manifest that was judged. */
  known: string | undefined;
  hasRefused: boolean;
  readonly backoff: Backoff;
  readonly idle: Backoff;
}

/**
 * Asks the manager what this server should run: held questions without a socket, a slow check with one. All state comes
 * through here; hints only end a wait.
 */
export function createFollower(deps: FollowerDeps): Follower {
  const { settings, random, waker } = deps;
  const memory: Memory = {
    known: undefined,
    hasRefused: false,
    backoff: createBackoff({ baseMs: settings.retry_base, capMs: settings.retry_cap, random }),
    idle: createBackoff({ baseMs: settings.retry_base, capMs: settings.poll, random }),
  };
  return {
    async run(signal) {
      try {
        while (!signal.aborted) {
          const pauseMs = await askOnce(deps, memory, signal);
          if (pauseMs > 0) await waker.wait(pauseMs, signal);
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    },
    forget() {
      memory.known = undefined;
    },
    missed() {
      // It may have been fetched and still not be followed; one that was refused is asked for at its own pace.
      if (!memory.hasRefused) memory.known = undefined;
      waker.wake();
    },
  };
}

/** Asks, judges the answer, and says how long to wait before the next question. */
async function askOnce(deps: FollowerDeps, memory: Memory, signal: AbortSignal): Promise<number> {
  const { settings, random, clock } = deps;
  const waitMs = settings.wait - random() * Math.min(waitJitterMs, settings.wait * 0.3);
  const waitS = Math.floor(waitMs / 1000);
  const startedMs = clock.monotonic();
  // The first question after silence is not held: whether the manager is there must show at once.
  const holds = !deps.hasHints() && deps.reachability.isReachable;
  const wasHeld = (): boolean => !holds || clock.monotonic() - startedMs >= waitS * 500;
  try {
    const headers = {
      ...(holds ? { prefer: `wait=${waitS}` } : {}),
      ...(memory.known === undefined ? {} : { 'if-none-match': memory.known }),
    };
    const answer = await deps.client.desired({ headers }, signal);
    await judge(deps, memory, answer);
    return pauseAfterAnswer(deps, memory, answer.bytes !== undefined || wasHeld());
  } catch (error) {
    signal.throwIfAborted();
    return pauseAfterFailure(deps, memory, error, wasHeld());
  }
}

async function judge({ take, onVerdict, log }: FollowerDeps, memory: Memory, answer: BytesAnswer): Promise<void> {
  const { bytes, etag } = answer;
  if (bytes === undefined) {
    // A refused manifest is asked for again as a whole: the clock or the trust may have been mended.
    if (memory.hasRefused) memory.known = undefined;
    return;
  }
  try {
    await take(bytes);
    memory.hasRefused = false;
    onVerdict(null, etag);
  } catch (error) {
    if (!(error instanceof ProblemError) || error.code === 'remote.failed') throw error;
    memory.hasRefused = true;
    log.error('manifest refused', { code: error.code, error: error.message });
    onVerdict(error, etag);
  }
  memory.known = etag;
}

const spread = ({ random }: FollowerDeps, ms: number): number => ms * (0.8 + 0.4 * random());

function pauseAfterAnswer(deps: FollowerDeps, memory: Memory, hadNewsOrWait: boolean): number {
  memory.backoff.reset();
  memory.idle.reset();
  deps.reachability.answered();
  // What was refused may have been spoiled on the way: hints or not, it is asked for again soon.
  if (memory.hasRefused) return spread(deps, deps.settings.poll);
  if (deps.hasHints()) return spread(deps, deps.settings.resync);
  return hadNewsOrWait ? 0 : spread(deps, deps.settings.poll);
}

function pauseAfterFailure(deps: FollowerDeps, memory: Memory, error: unknown, wasHeld: boolean): number {
  const { reachability, log } = deps;
  const code = error instanceof ProblemError ? error.code : 'internal.error';
  deps.onFailure?.(code);
  const refusal = refusalOf(error);
  if (code === 'server.not-assigned') {
    memory.known = undefined;
    memory.backoff.reset();
    reachability.answered();
    if (deps.hasHints()) return spread(deps, deps.settings.resync);
    return wasHeld ? 0 : memory.idle.next();
  }
  if (code === 'auth.revoked') {
    reachability.failed('this server was removed from the manager', revokedPauseMs, refusal);
    log.error('removed from the manager; keeps running what it has', { code });
    return revokedPauseMs;
  }
  if (code === 'server.identity-cloned') {
    reachability.failed(clonedReason, clonedPauseMs, refusal);
    log.error(`${clonedReason}; keeps running what it has`, { code });
    return spread(deps, clonedPauseMs);
  }
  const askedS = Number((error as Partial<ProblemError>).details?.['retry_after_s'] ?? 0);
  const pauseMs = memory.backoff.next(Number.isFinite(askedS) ? askedS * 1000 : 0);
  // Once is news; an outage of a day must not fill the disk with the rest.
  const say = reachability.tries === 0 ? log.warn : log.debug;
  reachability.failed(refusal ? `${refusal.code}: ${refusal.detail}` : messageOf(error), pauseMs, refusal);
  say('manager not reached', { code, error: messageOf(error), next_try_ms: Math.round(pauseMs) });
  return pauseMs;
}

/** Null when nothing came back: neither a refused connection nor a proxy's own words are the manager's answer. */
function refusalOf(error: unknown): Reachability['refusal'] {
  if (!(error instanceof ProblemError) || noAnswer.has(error.code)) return null;
  return { code: error.code, detail: error.message };
}

const noAnswer = new Set<string>(['manager.unreachable', 'remote.failed', 'internal.error']);
