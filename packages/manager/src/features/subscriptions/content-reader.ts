import { Worker } from 'node:worker_threads';
import { fromProblem, ProblemError, type Problem } from '@sbox/core';
import { isPacked } from '../../fetching/decode-body.ts';
import type { KeyedQueue } from '../../keyed-queue.ts';
import { readContent, type ReadContent } from './read-content.ts';

export interface ReadJob {
  readonly bytes: Uint8Array;
  readonly before: Uint8Array | undefined;
}
export type ReadAnswer = { readonly read: ReadContent } | { readonly problem: Problem };

/** Reads what came; see `readContent`. */
export type ContentReader = (
  bytes: Uint8Array,
  before: Uint8Array | undefined,
  signal: AbortSignal,
) => Promise<ReadContent>;

/** Smaller ones are read before a thread would have started, and hold nobody up. */
const aloneFromBytes = 128 * 1024;
const timeoutMs = 60_000;
/** A small young generation stays in the processor's caches: reading takes an eighth less processor time than with the usual one. */
const resourceLimits = { maxOldGenerationSizeMb: 1024, maxYoungGenerationSizeMb: 3 };

/** From the sources the thread is a file beside this one; the build puts it beside the bundle. */
const entry = new URL(import.meta.url.endsWith('.ts') ? './read-worker.ts' : './read-worker.mjs', import.meta.url);

/** Large subscriptions, and those that may unpack to large ones, are read in a thread of their own, one at a time, so that everybody else is answered meanwhile. */
export const createContentReader =
  (queue: KeyedQueue): ContentReader =>
  async (bytes, before, signal) => {
    const isSmall = bytes.length + (before?.length ?? 0) < aloneFromBytes && !isPacked(bytes);
    if (isSmall) return readContent(bytes, before);
    return await queue.run('read a large subscription', async () => await readAlone({ bytes, before }, signal));
  };

async function readAlone(job: ReadJob, signal: AbortSignal): Promise<ReadContent> {
  signal.throwIfAborted();
  const late = AbortSignal.timeout(timeoutMs);
  const worker = new Worker(entry, { workerData: job, resourceLimits });
  const stop = AbortSignal.any([signal, late]);
  try {
    const answer = await new Promise<ReadAnswer>((resolve, reject) => {
      stop.addEventListener('abort', () => reject(stop.reason as Error), { once: true });
      worker.once('message', resolve).once('error', reject);
      worker.once('exit', () => reject(new Error('the thread that reads subscriptions ended')));
    });
    if ('problem' in answer) throw fromProblem(answer.problem, 'the subscription could not be read');
    return answer.read;
  } catch (error) {
    signal.throwIfAborted();
    const isTooMuch = late.aborted || (error as { code?: unknown }).code === 'ERR_WORKER_OUT_OF_MEMORY';
    if (isTooMuch) throw new ProblemError('subscription.too-large', 'it takes too long or too much memory to read');
    throw error;
  } finally {
    await worker.terminate();
  }
}
