import { Worker } from 'node:worker_threads';
import { messageOf, type Clock } from '@sbox/core';
import type { Blame } from '@sbox/pipeline/expressions';
import type { KeyedQueue } from '../../keyed-queue.ts';

/** All of it as text: what is cloned as objects is cloned on the thread that answers everybody else. */
export interface PolicyJob {
  /** Rendered configs. */
  readonly documents: readonly string[];
  /** JSON of `ExpressionFacts`. */
  readonly facts: string;
  readonly expressions: readonly string[];
}

export type PolicyOutcome =
  { readonly blame: Blame | undefined } | { readonly problem: { readonly code: string; readonly detail: string } };
export type PolicyMessage = { readonly ready: true } | { readonly index: number; readonly outcome: PolicyOutcome };

/** What each expression found, in their order. */
export type PolicyEvaluator = (job: PolicyJob) => Promise<PolicyOutcome[]>;

export interface PolicyEvaluatorDeps {
  readonly queue: KeyedQueue;
  readonly clock: Clock;
  /** Aborts when the manager stops. */
  readonly stopping: AbortSignal;
  readonly limits?: PolicyLimits;
}

export interface PolicyLimits {
  /** Of one expression; somebody waits for the version. */
  readonly eachMs: number;
  /** Of all together. */
  readonly allMs: number;
  readonly maxHeapMb: number;
}

const policyLimits: PolicyLimits = { eachMs: 2000, allMs: 15_000, maxHeapMb: 512 };
/** Starting a thread on a machine that is busy. */
const startMs = 20_000;

/** From the sources the thread is a file beside this one; the build puts it beside the bundle. */
const entry = new URL(import.meta.url.endsWith('.ts') ? './policy-worker.ts' : './policy-worker.mjs', import.meta.url);

/**
 * Evaluates expressions in a thread of their own, one job at a time: an expression that takes too long or too much ends
 * its thread and nothing else, and those behind it are evaluated in the next one.
 */
export const createPolicyEvaluator = (deps: PolicyEvaluatorDeps): PolicyEvaluator => {
  const { queue, clock, stopping, limits = policyLimits } = deps;
  return async (job) => {
    if (job.expressions.length === 0) return [];
    return await queue.run('evaluate policies', async () => {
      const outcomes: PolicyOutcome[] = [];
      const endMs = clock.monotonic() + limits.allMs;
      while (outcomes.length < job.expressions.length) {
        const leftMs = endMs - clock.monotonic();
        if (leftMs <= 0) {
          outcomes.push(tooSlow(limits.allMs, 'all policies together'));
          continue;
        }
        const eachMs = Math.min(limits.eachMs, leftMs);
        const ended = await runThread(job, outcomes, { ...limits, eachMs }, stopping);
        if (ended !== undefined) outcomes.push(ended);
      }
      return outcomes;
    });
  };
};

const tooSlow = (ms: number, what = 'it'): PolicyOutcome => ({
  problem: { code: 'policy.too-slow', detail: `${what} took longer than ${ms} ms` },
});

/** One thread; adds what it said, and answers what ended it before it was through. */
async function runThread(
  job: PolicyJob,
  outcomes: PolicyOutcome[],
  { eachMs, maxHeapMb }: PolicyLimits,
  stopping: AbortSignal,
): Promise<PolicyOutcome | undefined> {
  stopping.throwIfAborted();
  const worker = new Worker(entry, {
    workerData: { ...job, first: outcomes.length },
    resourceLimits: { maxOldGenerationSizeMb: maxHeapMb, maxYoungGenerationSizeMb: 16 },
  });
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<PolicyOutcome | undefined>((resolve, reject) => {
      const wait = (ms: number): void => {
        clearTimeout(timer);
        timer = setTimeout(() => resolve(tooSlow(ms)), ms);
      };
      stopping.addEventListener('abort', () => reject(stopping.reason as Error), { once: true });
      wait(startMs);
      worker.on('message', (message: PolicyMessage) => {
        if ('outcome' in message) outcomes.push(message.outcome);
        if (outcomes.length === job.expressions.length) resolve(undefined);
        else wait(eachMs);
      });
      worker.once('error', (error) => resolve(brokenBy(error)));
      worker.once('exit', () => resolve(brokenBy(new Error('the thread that evaluates policies ended'))));
    });
  } finally {
    clearTimeout(timer);
    await worker.terminate();
  }
}

function brokenBy(error: unknown): PolicyOutcome {
  const isMemory = (error as { code?: unknown }).code === 'ERR_WORKER_OUT_OF_MEMORY';
  const detail = isMemory ? 'it takes too much memory' : messageOf(error);
  return { problem: { code: isMemory ? 'policy.too-slow' : 'policy.failed', detail } };
}
