import type { AgentStatus, Manifest, Nack, ReloadPlan, UnitStatus } from '@sbox/protocol';
import type { Way } from './probe/tunnel.ts';
import type { Pressure } from './supervisor/budgets.ts';

/** Where an order came from: the network, a signed bundle, or a plain file of this machine. */
export type OrderSource = 'manager' | 'bundle' | 'local';

/** Content from a place on; `offset` is 0 where the giver could not begin at the place that was asked for. */
export interface ContentStream {
  readonly offset: number;
  /** Fails like the call that opened it. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** Hands out content by digest. The taker checks the digest; the giver only brings bytes. */
export interface BlobSource {
  /** @throws ProblemError `blob.fetch-failed`, `blob.not-found` */
  fetch(digest: string, maxBytes: number, signal: AbortSignal): Promise<Uint8Array>;
  /** For content that is not held in memory; absent where all of it is there already. @throws like `fetch` */
  readonly open?: (digest: string, offset: number, signal: AbortSignal) => Promise<ContentStream>;
}

/**
 * One verified order: signature, server id, schema and age of its manifest have been checked by whoever made it.
 * For `local` the manifest is written by the agent itself, with the running epoch and a generation of 0.
 */
export interface Order {
  readonly source: OrderSource;
  readonly manifest: Manifest;
  /** Of the signed bytes of the manifest; absent where nobody signed. */
  readonly digest?: string;
  /** Places of the manifest that this agent does not know; they were left out of it. */
  readonly unsupported?: readonly string[];
  /** What the operator at this machine asked for; in place of the manifest's `confirm_ms`. */
  readonly confirm_ms?: number;
  readonly blobs: BlobSource;
}

/** A version that this server ran, tried or refused. */
export interface HistoryEntry {
  readonly epoch: number;
  readonly generation: number;
  readonly source: OrderSource;
  readonly state: 'accepted' | 'serving' | 'committed' | 'rolled-back' | 'refused';
  readonly at: string;
  readonly units: readonly {
    readonly name: string;
    readonly digest: string;
    readonly config_id: string | null;
    readonly version: number | null;
  }[];
  readonly code: string | null;
  readonly message: string | null;
}

export interface AgentProcess {
  readonly unit: string;
  /** `draining`: it gets no new connections. */
  readonly role: 'live' | 'draining' | 'trial';
  readonly pid: number;
  readonly started_at: string;
  /** It was started by an earlier run of the agent and found alive. */
  readonly adopted: boolean;
  readonly rss_bytes: number | null;
}

/** The part of the status that applying and supervising decide. */
export interface ReconcilerState {
  readonly phase: AgentStatus['phase'];
  readonly observed: AgentStatus['observed'];
  /** Who this server was when it took that; null before it took anything. */
  readonly observed_server_id?: string | null;
  readonly running: AgentStatus['running'];
  readonly committed: AgentStatus['committed'];
  readonly units: readonly UnitStatus[];
  readonly nack: Nack | null;
  /** Why the agent holds still (a hold file, an operator's rollback), or null. */
  readonly held: string | null;
  /** A version that is taken back at that time unless something speaks for it. */
  readonly confirm: NonNullable<AgentStatus['confirm']> | null;
  /** Places of the order that this agent does not know and leaves alone. */
  readonly unsupported: readonly string[];
  /** Why this machine seems to reach nothing, whatever it runs; or null. */
  readonly uplink_down: string | null;
  /** The last write to the state directory failed; nothing new is accepted until it works again. */
  readonly disk_problem: string | null;
  /** What runs short, as of the last look. */
  readonly pressures?: readonly Pressure[];
}

/** What was observed as this server; a generation that it took before it joined again says nothing. */
export const observedAs = (
  { observed, observed_server_id = null }: Pick<ReconcilerState, 'observed' | 'observed_server_id'>,
  serverId: string | undefined,
): ReconcilerState['observed'] =>
  observed_server_id === null || serverId === undefined || observed_server_id === serverId ? observed : null;

/**
 * Follows orders without ever losing what works. One at a time; while one is being applied the newest waiting order
 * replaces older ones.
 */
export interface Reconciler extends AsyncDisposable {
  /** Adopts running engines, or starts the last committed version; needs no network. Resolves when that is decided. */
  boot(): Promise<void>;
  /** Takes an order into consideration; the verdict shows in `state`. Never throws for a bad order. */
  offer(order: Order): void;
  /** Goes back to the version before the running one and holds it until a newer generation comes. @throws `history.empty` */
  rollback(): Promise<HistoryEntry>;
  /** @throws ProblemError `server.held` when a hold lies there that this order does not end */
  refuseHeld(order: Order): Promise<void>;
  /** Ends the hold; answers why there was one. @throws ProblemError `server.not-held` */
  release(): Promise<string>;
  /** Keeps the version that would be taken back otherwise. @throws ProblemError `confirm.nothing-pending` */
  confirm(): Promise<void>;
  /**
   * How each unit would take an order, and what that costs. Nothing is tried and nothing is touched.
   * @throws ProblemError `engine.*`, `config.invalid`, `blob.*`
   */
  plan(order: Order): Promise<readonly ReloadPlan[]>;
  readonly state: ReconcilerState;
  /** Called after every change of `state`. */
  onChange(listener: () => void): Disposable;
  /** Versions that were run or refused, newest first. */
  history(): Promise<readonly HistoryEntry[]>;
  processes(): readonly AgentProcess[];
  /** Last lines of a unit's log, secrets hidden. */
  logs(unit: string | undefined, lines: number): Promise<readonly { readonly unit: string; readonly line: string }[]>;
  /** An inbound of an engine that runs at this moment, to go out through. */
  wayOut(): Way | undefined;
  /** What each unit runs, as rendered, for `config show`. */
  renditions(): Promise<readonly { readonly unit: string; readonly digest: string; readonly text: string }[]>;
}
