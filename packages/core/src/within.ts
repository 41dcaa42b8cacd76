import type { Clock } from './clock.ts';

export interface Limit {
  readonly clock: Clock;
  readonly ms: number;
  /** Ends the task too, with its own reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs a task whose signal is aborted after so long, with a `TimeoutError`. Unlike `AbortSignal.timeout` it holds nothing
 * once the task has ended: for limits that are long against what they limit.
 */
export async function within<T>({ clock, ms, signal }: Limit, task: (limit: AbortSignal) => Promise<T>): Promise<T> {
  const limit = new AbortController();
  const over = new AbortController();
  const abort = (): void => limit.abort(signal?.reason);
  signal?.throwIfAborted();
  signal?.addEventListener('abort', abort, { once: true });
  clock.sleep(ms, over.signal).then(
    () => limit.abort(new DOMException(`it took longer than ${ms} ms`, 'TimeoutError')),
    () => {},
  );
  try {
    return await task(limit.signal);
  } finally {
    over.abort();
    signal?.removeEventListener('abort', abort);
  }
}
