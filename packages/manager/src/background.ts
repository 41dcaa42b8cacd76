import type { Clock } from '@sbox/core';
import { errorFields, type Logger } from '@sbox/daemon/log';

/** Work that nobody waits for. Dispose lets what has begun come to its end. */
export interface Background extends AsyncDisposable {
  run(name: string, task: () => Promise<void>): void;
  /** Runs a task again and again, with a pause between, until dispose. */
  repeat(name: string, everyMs: number, task: () => Promise<void>): void;
}

export function createBackground(
  log: Logger,
  clock: Clock,
  /** Parts a task from what caused it: who asked for that does not act any more. */
  alone: <T>(work: () => Promise<T>) => Promise<T> = async (work) => await work(),
): Background {
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();

  const guarded = async (name: string, task: () => Promise<void>): Promise<void> => {
    try {
      await alone(task);
    } catch (error) {
      if (!stopping.signal.aborted) log.error('background task failed', { task: name, ...errorFields(error) });
    }
  };
  const track = (work: Promise<void>): void => {
    running.add(work);
    void work.finally(() => running.delete(work));
  };

  return {
    run(name, task) {
      if (!stopping.signal.aborted) track(guarded(name, task));
    },
    repeat(name, everyMs, task) {
      const loop = async (): Promise<void> => {
        while (!stopping.signal.aborted) {
          await guarded(name, task);
          await clock.sleep(everyMs, stopping.signal).catch(() => {});
        }
      };
      track(loop());
    },
    async [Symbol.asyncDispose]() {
      stopping.abort(new Error('the manager is stopping'));
      while (running.size > 0) await Promise.all(running);
    },
  };
}
