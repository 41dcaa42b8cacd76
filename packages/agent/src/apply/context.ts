import type { spawn as nodeSpawn } from 'node:child_process';
import type { Clock, RandomBytes } from '@sbox/core';
import type { Logger } from '@sbox/daemon/log';
import type { ControlApi } from '../engines/control-api.ts';
import type { EngineFinder } from '../engines/find-engine.ts';
import type { RunOverlay } from '../engines/run-overlay.ts';
import type { Order } from '../order.ts';
import type { RunProbe } from '../probe/probe.ts';
import type { JournalVersion } from '../state/journal.ts';
import type { Store } from '../state/store.ts';
import type { Proc } from '../supervisor/proc.ts';
import type { RestartSettings } from '../supervisor/restart-policy.ts';
import type { SupervisedUnit } from '../supervisor/unit.ts';
import type { TrialDeps } from './trial.ts';

/** Every duration of applying and supervising, in milliseconds. */
export interface ReconcilerSettings {
  /** From a start or a signal until the control API answers and the ports are held. */
  readonly start_ms: number;
  /** How long requests through the engine that took over may fail before it is taken back. */
  readonly verify_ms: number;
  /** Between two looks at a version that serves but is not committed. */
  readonly watch_every_ms: number;
  /** Failed probes in a row during the watch that take a version back. */
  readonly watch_fails: number;
  /** Between two looks at what is committed: does it still answer, has its log grown too long? */
  readonly care_every_ms: number;
  /** From TERM to KILL. */
  readonly stop_ms: number;
  /** Between two looks at a process that is no child of this agent. */
  readonly poll_ms: number;
  /** For one answer of a control API. */
  readonly control_ms: number;
  /** A crash loop takes a version back that was committed less than this ago. */
  readonly crash_rollback_ms: number;
  readonly restart: RestartSettings;
  /** Waits before a refused order is tried again. */
  readonly retry_ms: readonly number[];
  readonly max_log_bytes: number;
}

/** What the steps of applying share. */
export interface ApplyContext {
  readonly store: Store;
  readonly engines: EngineFinder;
  /** Inbound tag to port: what this server decided over what a rendition says. */
  readonly ports: Readonly<Record<string, number>>;
  readonly settings: ReconcilerSettings;
  readonly clock: Clock;
  readonly spawn: typeof nodeSpawn;
  readonly randomBytes: RandomBytes;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly proc: Proc;
  readonly control: ControlApi;
  readonly overlay: RunOverlay;
  readonly probe: RunProbe;
  readonly trial: TrialDeps;
  readonly log: Logger;
  /** The actor of a unit, made when it is first asked for. */
  readonly unit: (name: string) => SupervisedUnit;
  readonly units: () => readonly SupervisedUnit[];
}

/** One order to be followed. */
export interface ApplyJob {
  readonly order: Order;
  /** What to go back to. */
  readonly fallback: JournalVersion | undefined;
  readonly signal: AbortSignal;
  /** Something newer waits: what is still being downloaded is not worth waiting for. */
  readonly overtaken: AbortSignal;
}
