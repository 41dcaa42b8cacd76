import type { Clock, RandomBytes } from '@sbox/core';
import type { Logger } from '@sbox/daemon/log';
import type { Unit } from '@sbox/protocol';
import type { ControlApi } from '../engines/control-api.ts';
import type { EngineFinder } from '../engines/find-engine.ts';
import type { RunOverlay } from '../engines/run-overlay.ts';
import type { Machine } from '../machine.ts';
import type { Order } from '../order.ts';
import type { ProbeSchedule } from '../probe/probe-schedule.ts';
import type { RunProbe } from '../probe/probe.ts';
import type { Uplink } from '../probe/uplink.ts';
import type { Mover } from '../reload/mover.ts';
import type { Store } from '../state/store.ts';
import type { Budgets, BudgetSettings } from '../supervisor/budgets.ts';
import type { LogLimits } from '../supervisor/log-file.ts';
import type { Sockets } from '../supervisor/ports.ts';
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
  /** How long an engine may serve on what it has when another one has taken over. */
  readonly drain_ms: number;
  /** Between two looks at what drains. */
  readonly drain_every_ms: number;
  /** From TERM to KILL. */
  readonly stop_ms: number;
  /** Between two looks at a process that is no child of this agent. */
  readonly poll_ms: number;
  /** For one answer of a control API. */
  readonly control_ms: number;
  /** How long somebody or something has to speak for a version that no trial could prove. */
  readonly confirm_ms: number;
  /** A crash loop takes a version back that was committed less than this ago. */
  readonly crash_rollback_ms: number;
  readonly restart: RestartSettings;
  /** Waits before a refused order is tried again. */
  readonly retry_ms: readonly number[];
  readonly logs: LogLimits;
  /** Between two looks at logs that are quiet; 0: never. */
  readonly log_every_ms: number;
  readonly budget: BudgetSettings;
  /** Programs that a probe of a manifest may run, by absolute path. */
  readonly exec_probes: readonly string[];
}

/** What the steps of applying share. */
export interface ApplyContext {
  readonly store: Store;
  readonly engines: EngineFinder;
  /** Inbound tag to port: what this server decided over what a rendition says. */
  readonly ports: Readonly<Record<string, number>>;
  readonly settings: ReconcilerSettings;
  readonly clock: Clock;
  readonly randomBytes: RandomBytes;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly proc: Proc;
  readonly sockets: Sockets;
  readonly control: ControlApi;
  readonly mover: Mover;
  /** Undefined where the machine does not say it. */
  readonly memoryAvailable: () => number | undefined;
  readonly overlay: RunOverlay;
  readonly check: Machine['check'];
  readonly probe: RunProbe;
  /** Undefined on a server without a manager. */
  readonly managerReachable: () => boolean | undefined;
  readonly trial: TrialDeps;
  readonly uplink: Uplink;
  /** What the units' extra probes say. */
  readonly probes: Pick<ProbeSchedule, 'states'>;
  readonly budgets: Budgets;
  readonly log: Logger;
  /** The actor of a unit, made when it is first asked for. */
  readonly unit: (name: string) => SupervisedUnit;
  readonly units: () => readonly SupervisedUnit[];
  /** Name of a unit that this one depends on and that does not run. */
  readonly heldBy: (unit: Unit) => string | undefined;
}

/** One order to be followed. */
export interface ApplyJob {
  readonly order: Order;
  readonly signal: AbortSignal;
  /** Something newer waits: what is still being downloaded is not worth waiting for. */
  readonly overtaken: AbortSignal;
}
