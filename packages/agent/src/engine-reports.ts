import type { Clock } from '@sbox/core';
import type { EngineReport } from '@sbox/protocol';
import type { EngineFinder } from './engines/find-engine.ts';

/** The engines of this machine, for the status. */
export interface EngineReports {
  /** As of the last look. */
  readonly known: readonly EngineReport[];
  look(): Promise<void>;
  /** Looks again now and then, because a package manager may have been there; until it is disposed. */
  keepLooking(): Disposable;
}

const pauseMs = 60_000;

export function createEngineReports(finder: EngineFinder, clock: Clock): EngineReports {
  let known: readonly EngineReport[] = [];
  const look = async (): Promise<void> => {
    try {
      const { kind, version, tags } = await finder.find();
      known = [{ kind, version, tags: [...tags] }];
    } catch {
      known = [];
    }
  };
  return {
    get known() {
      return known;
    },
    look,
    keepLooking() {
      const stop = new AbortController();
      const loop = async (): Promise<void> => {
        while (!stop.signal.aborted) {
          await clock.sleep(pauseMs, stop.signal);
          await look();
        }
      };
      loop().catch(() => {});
      return { [Symbol.dispose]: () => stop.abort(new Error('stopping')) };
    },
  };
}
