import type { Clock } from '@sbox/core';

/** Things that are good once and for a while, in memory: of more than `most` the oldest are forgotten. */
export interface OneTime<T> {
  put(key: string, value: T): void;
  /** What stands there, if it is still good; it stands there no longer. */
  take(key: string): T | undefined;
}

export function createOneTime<T>(
  clock: Clock,
  { most, ms }: { readonly most: number; readonly ms: number },
): OneTime<T> {
  const kept = new Map<string, { readonly value: T; readonly untilMs: number }>();
  return {
    put(key, value) {
      kept.delete(key);
      kept.set(key, { value, untilMs: clock.now() + ms });
      for (const [oldest, { untilMs }] of kept) {
        if (kept.size <= most && untilMs > clock.now()) break;
        kept.delete(oldest);
      }
    },
    take(key) {
      const found = kept.get(key);
      kept.delete(key);
      return found && found.untilMs > clock.now() ? found.value : undefined;
    },
  };
}
