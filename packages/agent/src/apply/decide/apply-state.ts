import type { Generation } from '@sbox/core';
import type { Nack } from '@sbox/protocol';
import type { AcceptedOrder } from '../../state/accepted.ts';
import type { ConfirmTerms, JournalRecord, JournalVersion } from '../../state/journal.ts';
import { emptyReplay, foldRecord, newestOf, type Replayed } from '../../state/journal-replay.ts';
import type { UnexpectedEnd } from '../../supervisor/unit.ts';
import { noBacklog, type Backlog, type Due } from './backlog.ts';
import type { Note, StagedSlot, UnitRef, Survey, Work } from './effect.ts';
import type { Failure } from './failure.ts';
import type { OrderData } from './order-data.ts';
import type { StepName } from './step-name.ts';
import { generationOf } from './version.ts';

/** Numbers that decisions depend on, in milliseconds unless they say otherwise. */
export interface DecideSettings {
  readonly watch_every_ms: number;
  readonly watch_fails: number;
  readonly care_every_ms: number;
  readonly crash_rollback_ms: number;
  readonly retry_ms: readonly number[];
  readonly confirm_ms: number;
}

/** When it is, and the chance of this moment. */
export interface Time {
  /** Wall clock. */
  readonly now: number;
  readonly monotonic: number;
  /** From 0 to 1. */
  readonly random: number;
}

/** What a version that took over waits for beside its watch. */
export interface Confirm extends ConfirmTerms {
  /** Monotonic end of the window. */
  readonly deadline: number;
  /** The manager answered since the take-over. */
  readonly wasReached: boolean;
}

/** A version that serves and has to stay healthy until it is committed. */
export interface Watched {
  readonly version: JournalVersion;
  /** Monotonic time since which it serves. */
  readonly since: number;
  readonly watchMs: number;
  /** Unexpected ends of each unit at that time. */
  readonly restarts: Readonly<Record<string, number>>;
  /** Which run of its engine each unit had at the last look. */
  readonly runs: Readonly<Record<string, string>>;
  /** Failed looks in a row. */
  readonly fails: number;
  /** How often a row of failed looks began. */
  readonly breaks: number;
  /** Monotonic time of the next look. */
  readonly lookAt: number;
  readonly confirm: Confirm | null;
}

/** An order on its way. */
export interface Following {
  readonly order: OrderData;
  /** Counts from 1. */
  readonly attempt: number;
  /** What to go back to. */
  readonly fallback: JournalVersion | null;
  readonly survey: Survey;
  /** Names of units that run just this already. */
  readonly kept: readonly string[];
  readonly removed: readonly string[];
  /** So far, in the order of the take-over. */
  readonly staged: readonly StagedSlot[];
  readonly confirm: ConfirmTerms | null;
}

/** A row of effects; each is answered before the next one begins. */
export interface Task {
  /** The first one is under way. */
  readonly queue: readonly Work[];
  /** Decides what follows the last one. */
  readonly next: StepName;
  /** Decides what follows one that failed and may not. */
  readonly orElse: StepName;
}

/** All that decisions rest on: plain data. */
export interface ApplyState {
  readonly settings: DecideSettings;
  readonly journal: Replayed;
  readonly lastRecord: JournalRecord | null;
  readonly accepted: AcceptedOrder | null;
  /** Nothing older is accepted also when the file itself was lost. */
  readonly least: Generation;
  readonly observed: Generation | null;
  readonly isBooted: boolean;
  readonly task: Task | null;
  readonly backlog: Backlog;
  readonly held: { readonly reason: string; readonly order: OrderData | null } | null;
  /** Taken out of the backlog; whether it may be followed is being looked up. */
  readonly due: Due | null;
  readonly following: Following | null;
  readonly watched: Watched | null;
  /** Why the order that is followed is refused, or the version that serves is taken back. */
  readonly refusing: Failure | null;
  readonly takenBack: JournalVersion | null;
  /** The same bytes are not tried again. */
  readonly isSticky: boolean;
  readonly afterStrike: StepName;
  /** How often the order that serves or waits was tried. */
  readonly attempt: number;
  readonly crashed: UnexpectedEnd | null;
  /** Somebody waits for an answer. */
  readonly isRollbackAsked: boolean;
  /** The version that served when somebody confirmed. */
  readonly confirmAsked: JournalVersion | null;
  readonly rollback: { readonly from: JournalVersion; readonly to: JournalVersion } | null;
  readonly boot: BootFacts | null;
  /** The last engine that was found. */
  readonly engine: string | null;
  readonly careAt: number;
  readonly unsupported: readonly string[];
  readonly nack: Nack | null;
  /** To be told after this event; empty between events. */
  readonly notes: readonly Note[];
}

export interface BootFacts {
  readonly good: JournalVersion | null;
  readonly before: JournalVersion | null;
  readonly candidate: JournalVersion | null;
  readonly givenUp: JournalVersion | null;
  /** Units of it that are still to be judged. */
  readonly judged: readonly string[];
}

export interface Remembered {
  readonly records: readonly JournalRecord[];
  readonly accepted: AcceptedOrder | null;
}

/** Of an agent that has just come up and knows only what it wrote down. */
export function initialState({ records, accepted }: Remembered, settings: DecideSettings): ApplyState {
  return {
    settings,
    journal: records.reduce(foldRecord, emptyReplay),
    lastRecord: records.at(-1) ?? null,
    accepted,
    least: newestOf(records),
    observed: accepted === null ? null : generationOf(accepted.manifest),
    isBooted: false,
    task: null,
    backlog: noBacklog,
    held: null,
    due: null,
    following: null,
    watched: null,
    takenBack: null,
    refusing: null,
    isSticky: false,
    afterStrike: 'rest',
    attempt: 1,
    crashed: null,
    isRollbackAsked: false,
    confirmAsked: null,
    rollback: null,
    boot: null,
    engine: null,
    careAt: 0,
    unsupported: accepted?.unsupported ?? [],
    nack: null,
    notes: [],
  };
}

/** The last good version. */
export const goodOf = ({ journal }: ApplyState): JournalVersion | null => journal.committed.at(-1)?.version ?? null;

export const refsOf = ({ units }: JournalVersion): UnitRef[] =>
  units.flatMap(({ name, slot }) => (slot === null ? [] : [{ unit: name, slot }]));
