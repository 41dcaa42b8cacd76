/** A topic that wakes those who wait; what it carries is a hint, so only the newest counts. */
export interface Hub<T> {
  publish(key: string, value: T): void;
  /** Calls for every publication under the key until it is disposed. */
  subscribe(key: string, listener: (value: T) => void): Disposable;
  /** The next publication under the key, or undefined when the wait ends first. */
  next(key: string, waitMs: number, signal?: AbortSignal): Promise<T | undefined>;
  readonly listeners: number;
}

export function createHub<T>(): Hub<T> {
  const byKey = new Map<string, Set<(value: T) => void>>();
  let listeners = 0;

  const subscribe: Hub<T>['subscribe'] = (key, listener) => {
    const group = byKey.get(key) ?? new Set();
    // One function may listen twice.
    const own = (value: T): void => listener(value);
    byKey.set(key, group.add(own));
    listeners += 1;
    return {
      [Symbol.dispose]() {
        if (!group.delete(own)) return;
        listeners -= 1;
        if (group.size === 0) byKey.delete(key);
      },
    };
  };

  return {
    get listeners() {
      return listeners;
    },
    publish(key, value) {
      // A copy: whoever starts to listen inside a call waits for the next publication.
      Array.from(byKey.get(key) ?? []).forEach((listener) => listener(value));
    },
    subscribe,
    next: async (key, waitMs, signal) =>
      await new Promise((resolve) => {
        const finish = (value: T | undefined): void => {
          clearTimeout(timer);
          subscription[Symbol.dispose]();
          signal?.removeEventListener('abort', abort);
          resolve(value);
        };
        const abort = (): void => {
          finish(undefined);
        };
        const subscription = subscribe(key, finish);
        const timer = setTimeout(abort, waitMs);
        signal?.addEventListener('abort', abort, { once: true });
        if (signal?.aborted) abort();
      }),
  };
}
