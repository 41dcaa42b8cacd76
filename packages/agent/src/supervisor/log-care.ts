import type { Clock } from '@sbox/core';
import { errorFields, type Logger } from '@sbox/daemon/log';
import type { LogFile } from './log-file.ts';

export interface LogCareDeps {
  readonly clock: Clock;
  readonly logs: () => Iterable<LogFile>;
  readonly log: Logger;
  /** Between two looks at logs that are quiet. */
  readonly everyMs: number;
}

/** A log that grows by so much between two looks is looked at often. */
const fastBytes = 64 * 1024;
const fastMs = 1000;

/** Keeps logs short and slow: as no pipe may tie an engine to this agent, their files are looked at. */
export function startLogCare({ clock, logs, log, everyMs }: LogCareDeps): AsyncDisposable {
  const stop = new AbortController();
  const sizes = new WeakMap<LogFile, number>();

  /** Whether it grew fast. */
  async function careFor(one: LogFile, elapsedMs: number): Promise<boolean> {
    const grown = (await one.size()) - (sizes.get(one) ?? 0);
    const dropped = await one.trim(elapsedMs);
    if (dropped > 0) log.warn('An engine logs too fast', { file: one.file, dropped_lines: dropped });
    await one.rotate();
    sizes.set(one, await one.size());
    return grown > fastBytes;
  }

  async function run(): Promise<void> {
    let [at, pauseMs] = [clock.monotonic(), everyMs];
    while (!stop.signal.aborted) {
      await clock.sleep(pauseMs, stop.signal);
      const now = clock.monotonic();
      let isFast = false;
      for (const one of logs()) {
        const found = await careFor(one, now - at).catch((error: unknown) => {
          log.warn('A log could not be cut', { file: one.file, ...errorFields(error) });
        });
        isFast ||= found === true;
      }
      [at, pauseMs] = [now, isFast ? Math.min(fastMs, everyMs) : everyMs];
    }
  }

  const running = run().catch(() => {});
  return {
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('stopping'));
      await running;
    },
  };
}
