import { compareGenerations, messageOf, ProblemError, type Clock, type Generation } from '@sbox/core';
import type { Logger } from '@sbox/daemon/log';
import type { AgentStatus } from '@sbox/protocol';
import type { AgentClient } from './agent-client.ts';
import { createBackoff } from './backoff.ts';
import { newsOf, verdictOf } from './status-document.ts';
import { createWaker } from './waker.ts';

export interface ReporterDeps {
  readonly client: Pick<AgentClient, 'status'>;
  /** The status as it is now; `seq` is put in here. */
  readonly status: () => AgentStatus;
  /** How often to speak although nothing changed. */
  readonly heartbeatMs: () => number;
  readonly debounceMs: number;
  readonly retry: { readonly baseMs: number; readonly capMs: number };
  /** The manager has a generation that was not seen here: a hint was lost. */
  readonly onNewer: (desired: Generation) => void;
  /** Whether the manager answered other calls since. */
  readonly isReachable: () => boolean;
  /** The manager answered with a problem, or did not answer. */
  readonly onFailure?: (code: string) => void;
  readonly onServerTime: (serverTime: string) => void;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
}

export interface Reporter {
  /** Something may have changed. */
  changed(): void;
  /** Sends for ever; one status in flight, the newest wins. Resolves when the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

export function createReporter(deps: ReporterDeps): Reporter {
  const { client, clock, random, log, debounceMs } = deps;
  const waker = createWaker(clock);
  const backoff = createBackoff({ ...deps.retry, random });
  let seq = 0;
  let sentVerdict = '';
  let sentNews = '';

  const send = async (signal: AbortSignal): Promise<number> => {
    const status = { ...deps.status(), seq: (seq += 1) };
    try {
      const { desired, server_time: serverTime } = await client.status({ body: status }, signal);
      backoff.reset();
      sentVerdict = verdictOf(status);
      sentNews = newsOf(status);
      deps.onServerTime(serverTime);
      if (desired && compareGenerations(desired, status.observed ?? { epoch: 0, generation: 0 }) > 0)
        deps.onNewer(desired);
      return deps.heartbeatMs() * (0.9 + 0.2 * random());
    } catch (error) {
      signal.throwIfAborted();
      deps.onFailure?.(error instanceof ProblemError ? error.code : 'internal.error');
      const pauseMs = backoff.next();
      log.debug('status not delivered', { error: messageOf(error), next_try_ms: Math.round(pauseMs) });
      return pauseMs;
    }
  };

  /** Waits until the heartbeat is due or there is news; what is no verdict is collected for a moment. */
  const untilDue = async (pauseMs: number, signal: AbortSignal): Promise<void> => {
    const dueMs = clock.monotonic() + pauseMs;
    while (clock.monotonic() < dueMs) {
      const wasWoken = await waker.wait(dueMs - clock.monotonic(), signal);
      if (!wasWoken) return;
      // While the manager is away news wait for its turn: the newest status goes out then anyway.
      if (backoff.failures > 0 && !deps.isReachable()) continue;
      const now = deps.status();
      if (verdictOf(now) !== sentVerdict) return;
      if (newsOf(now) !== sentNews) {
        await waitForMore(Math.min(debounceMs, Math.max(0, dueMs - clock.monotonic())), signal);
        return;
      }
    }
  };
  const waitForMore = async (ms: number, signal: AbortSignal): Promise<void> => {
    const endMs = clock.monotonic() + ms;
    while (clock.monotonic() < endMs) {
      const wasWoken = await waker.wait(endMs - clock.monotonic(), signal);
      if (!wasWoken || verdictOf(deps.status()) !== sentVerdict) return;
    }
  };

  return {
    changed: () => {
      waker.wake();
    },
    async run(signal) {
      try {
        while (!signal.aborted) await untilDue(await send(signal), signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    },
  };
}
