import { ProblemError, type Clock } from '@sbox/core';
import type { Transport, TransportAnswer, TransportRequest } from '@sbox/protocol';
import pRetry from 'p-retry';
import { createBackoff } from './backoff.ts';

export interface RetryOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly retries: number;
  readonly baseMs: number;
  readonly capMs: number;
}

const passing = new Set([429, 502, 503, 504]);
/** Safe to send twice: it changes nothing, or the other side knows the second one by its key. */
const isIdempotent = ({ method, headers }: TransportRequest): boolean =>
  method === 'GET' || method === 'HEAD' || headers['idempotency-key'] !== undefined;

/** An answer that may be better next time, dressed as an error for the length of the retries. */
class PassingAnswer extends Error {
  readonly answer: TransportAnswer;
  constructor(answer: TransportAnswer) {
    super(`status ${answer.status}`);
    this.answer = answer;
  }
}

const isPassing = (error: Error): boolean =>
  error instanceof PassingAnswer || (error instanceof ProblemError && error.code === 'manager.unreachable');

/** The same transport, trying again what is safe to send twice; the last answer or error is handed on as it is. */
export const withRetries =
  (transport: Transport, { clock, random, retries, baseMs, capMs }: RetryOptions): Transport =>
  async (request) => {
    if (!isIdempotent(request)) return await transport(request);
    const backoff = createBackoff({ baseMs, capMs, random });
    try {
      return await pRetry(
        async () => {
          const answer = await transport(request);
          if (passing.has(answer.status)) throw new PassingAnswer(answer);
          return answer;
        },
        {
          retries,
          // The wait is ours: p-retry's jitter only ever lengthens it, so that a fleet would come back in step.
          minTimeout: 0,
          ...(request.signal ? { signal: request.signal } : {}),
          shouldRetry: ({ error }) => isPassing(error),
          onFailedAttempt: async ({ error, retriesLeft }) => {
            if (retriesLeft === 0 || !isPassing(error)) return;
            const asked = error instanceof PassingAnswer ? retryAfterMs(error.answer.headers['retry-after'], clock) : 0;
            await clock.sleep(backoff.next(asked), request.signal);
          },
        },
      );
    } catch (error) {
      if (error instanceof PassingAnswer) return error.answer;
      throw error;
    }
  };

/** RFC 9110, 10.2.3: seconds, or a date. 0 when it says nothing. */
export function retryAfterMs(header: string | undefined, clock: Clock): number {
  if (header === undefined) return 0;
  if (/^\d{1,9}$/.test(header)) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? 0 : Math.max(0, at - clock.now());
}
