import { isoTime, ProblemError, type Clock } from '@sbox/core';
import type { HistoryEntry, Order, Reconciler, ReconcilerState } from '../src/order.ts';

export interface FakeReconciler extends Reconciler {
  readonly offered: Order[];
  /** Content that was fetched for the newest order. */
  readonly contents: string[];
  set(state: Partial<ReconcilerState>): void;
}

/** Takes every order at its word: fetches its content and calls it committed. */
export function createFakeReconciler(clock: Clock): FakeReconciler {
  const listeners = new Set<() => void>();
  const offered: Order[] = [];
  const contents: string[] = [];
  const entries: HistoryEntry[] = [];
  let state: ReconcilerState = {
    phase: 'idle',
    observed: null,
    running: null,
    committed: null,
    units: [],
    nack: null,
    held: null,
    disk_problem: null,
  };
  const set = (change: Partial<ReconcilerState>): void => {
    state = { ...state, ...change };
    for (const listener of listeners) listener();
  };
  const take = async ({ manifest, source, blobs }: Order): Promise<void> => {
    const { epoch, generation, units } = manifest;
    if (source !== 'local') set({ observed: { epoch, generation }, phase: 'progressing' });
    try {
      for (const { config } of units) {
        const bytes = await blobs.fetch(config.digest, 16 * 1024 * 1024, new AbortController().signal);
        contents.push(Buffer.from(bytes).toString('utf8'));
      }
    } catch (error) {
      const { code, message } = error as ProblemError;
      set({
        phase: 'degraded',
        nack: {
          epoch,
          generation,
          digest: null,
          stage: 'fetch',
          code,
          unit: null,
          message,
          sticky: false,
          at: isoTime(clock.now()),
          retry_at: null,
        },
      });
      return;
    }
    const digest = units[0]?.config.digest ?? null;
    set({
      phase: 'committed',
      nack: null,
      running: { epoch, generation, source, digest },
      committed: { epoch, generation },
    });
    entries.unshift({
      epoch,
      generation,
      source,
      state: 'committed',
      at: isoTime(clock.now()),
      units: units.map(({ name, config }) => ({
        name,
        digest: config.digest,
        config_id: config.config_id,
        version: config.version,
      })),
      code: null,
      message: null,
    });
  };
  return {
    offered,
    contents,
    set,
    boot: async () => {},
    offer(order) {
      offered.push(order);
      void take(order);
    },
    async rollback() {
      const [, entry] = entries;
      if (!entry) throw new ProblemError('history.empty', 'there is one version at most');
      return entry;
    },
    get state() {
      return state;
    },
    onChange(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
    history: async () => entries,
    processes: () => [],
    logs: async () => [{ unit: 'main', line: 'a line' }],
    renditions: async () => contents.slice(-1).map((text) => ({ unit: 'main', digest: 'sha256:0', text })),
    [Symbol.asyncDispose]: async () => {},
  };
}
