import { isoTime, ProblemError, type Clock } from '@sbox/core';
import type { Nack } from '@sbox/protocol';
import type { HistoryEntry, Order, Reconciler, ReconcilerState } from '../src/order.ts';

export interface FakeReconciler extends Reconciler {
  readonly offered: Order[];
  /** Content that was fetched for the newest order. */
  readonly contents: string[];
  set(state: Partial<ReconcilerState>): void;
  setWayOut(way: ReturnType<Reconciler['wayOut']>): void;
  /** Refuses the next order instead of taking it. */
  refuseNext(code: string, message: string): void;
}

/** Takes every order at its word: fetches its content and calls it committed. */
export function createFakeReconciler(clock: Clock): FakeReconciler {
  const listeners = new Set<() => void>();
  const offered: Order[] = [];
  const contents: string[] = [];
  let wayOut: ReturnType<Reconciler['wayOut']>;
  const entries: HistoryEntry[] = [];
  let state: ReconcilerState = {
    phase: 'idle',
    observed: null,
    running: null,
    committed: null,
    units: [],
    nack: null,
    held: null,
    confirm: null,
    unsupported: [],
    uplink_down: null,
    disk_problem: null,
  };
  const set = (change: Partial<ReconcilerState>): void => {
    state = { ...state, ...change };
    for (const listener of listeners) listener();
  };
  let refusal: { code: string; message: string } | undefined;
  const refuse = (manifest: Order['manifest'], stage: Nack['stage'], why: { code: string; message: string }): void => {
    const { epoch, generation } = manifest;
    const at = isoTime(clock.now());
    const more = { digest: null, stage, unit: null, sticky: false, at, retry_at: null };
    set({ phase: 'degraded', nack: { epoch, generation, ...why, ...more } });
  };
  const take = async ({ manifest, source, blobs }: Order): Promise<void> => {
    const { epoch, generation, units, server_id: observed_server_id } = manifest;
    if (source !== 'local') set({ observed: { epoch, generation }, observed_server_id, phase: 'progressing' });
    try {
      for (const { config } of units) {
        const bytes = await blobs.fetch(config.digest, 16 * 1024 * 1024, new AbortController().signal);
        contents.push(Buffer.from(bytes).toString('utf8'));
      }
    } catch (error) {
      const { code, message } = error as ProblemError;
      refuse(manifest, 'fetch', { code, message });
      return;
    }
    if (refusal !== undefined) {
      refuse(manifest, 'validate', refusal);
      refusal = undefined;
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
    refuseNext: (code, message) => void (refusal = { code, message }),
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
    refuseHeld: async () => {
      if (state.held !== null) throw new ProblemError('server.held', state.held);
    },
    release: async () => {
      const { held } = state;
      if (held === null) throw new ProblemError('server.not-held', 'there is no hold file');
      set({ held: null });
      return held;
    },
    confirm: async () => {
      throw new ProblemError('confirm.nothing-pending', 'no version waits to be confirmed');
    },
    plan: async ({ manifest }) =>
      manifest.units.map(({ name }) => ({
        unit: name,
        strategy: 'in-place',
        message: 'will end 214 connections; swap would end 0',
        connections: 214,
        will_end: 214,
        refused: [{ strategy: 'swap', why: 'nft is not there' }],
      })),
    get state() {
      return state;
    },
    onChange(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
    history: async () => entries,
    processes: () => [],
    wayOut: () => wayOut,
    setWayOut(way) {
      wayOut = way;
    },
    logs: async () => [{ unit: 'main', line: 'a line' }],
    renditions: async () => contents.slice(-1).map((text) => ({ unit: 'main', digest: 'sha256:0', text })),
    [Symbol.asyncDispose]: async () => {},
  };
}
