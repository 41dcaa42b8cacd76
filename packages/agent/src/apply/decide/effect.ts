import type { ProblemCode } from '@sbox/core';
import type { Unit } from '@sbox/protocol';
import type { Hold } from '../../state/hold.ts';
import type { JournalRecord, JournalUnit, JournalVersion } from '../../state/journal.ts';
import type { Strike } from '../../state/quarantine.ts';
import type { OrderData } from './order-data.ts';
import type { ApplyStage } from './failure.ts';

/** A slot by its name; all else about it lies on the disk. */
export interface UnitRef {
  readonly unit: string;
  readonly slot: string;
}

/** Which bytes run or would run, for the quarantine. */
export interface EngineRef {
  readonly digest: string;
  /** `sing-box 1.14.4`; null: the engine of this server, whichever it is. */
  readonly engine: string | null;
}

/** Work of the shell: done one at a time, each answered by one event. All of it may be repeated. */
export type Work = (
  | { readonly do: 'recover' }
  | { readonly do: 'adopt'; readonly wanted: JournalVersion; readonly older: JournalVersion | null }
  | { readonly do: 'survey'; readonly order: OrderData | null }
  | { readonly do: 'record'; readonly record: JournalRecord }
  | { readonly do: 'accept'; readonly order: OrderData }
  | { readonly do: 'renew'; readonly order: OrderData; readonly unit: string }
  | {
      readonly do: 'stage';
      readonly order: OrderData;
      readonly unit: string;
      readonly isOvertaken: boolean;
      /** Monotonic time at which a download is not worth waiting for any more; null: its own limit counts. */
      readonly overtakenAt: number | null;
    }
  /** `kept`: what runs on beside them. */
  | { readonly do: 'check-ports'; readonly slots: readonly UnitRef[]; readonly kept: readonly UnitRef[] }
  | { readonly do: 'stop'; readonly unit: string }
  | { readonly do: 'stop-others'; readonly units: readonly string[] }
  | ({ readonly do: 'switch' } & UnitRef)
  | ({ readonly do: 'verify' } & UnitRef)
  | ({ readonly do: 'restore' } & UnitRef)
  | { readonly do: 'keep'; readonly slots: readonly UnitRef[] }
  | { readonly do: 'look'; readonly slots: readonly UnitRef[] }
  | { readonly do: 'compare'; readonly version: JournalVersion; readonly serving: readonly UnitRef[] }
  | { readonly do: 'ask-uplink'; readonly unit: string }
  | { readonly do: 'mark'; readonly version: JournalVersion }
  | { readonly do: 'tidy' }
  | ({ readonly do: 'find-strike' } & EngineRef)
  | { readonly do: 'quarantine'; readonly strike: Strike }
  | { readonly do: 'put-hold'; readonly hold: Hold }
  | { readonly do: 'release-hold' }
  | { readonly do: 'find-files'; readonly slots: readonly UnitRef[] }
  | { readonly do: 'care' }
  | { readonly do: 'wait'; readonly until: number }
) & {
  /** At which stage it failed, if it does and does not say it itself. */
  readonly stage?: ApplyStage;
  /** It must not stop the work: an engine goes on when the disk does not. */
  readonly isTolerated?: true;
};

/** Told at once, and never answered. */
export type Note =
  | {
      readonly do: 'log';
      readonly level: 'info' | 'warn' | 'error';
      readonly text: string;
      readonly fields: Readonly<Record<string, unknown>>;
    }
  /** Something happened that a wait should end for; `download`: also what is being fetched is out of date. */
  | { readonly do: 'wake'; readonly download: boolean }
  | { readonly do: 'booted'; readonly problem: Problem | null }
  | { readonly do: 'answer-rollback'; readonly version: JournalVersion | null; readonly problem: Problem | null }
  | { readonly do: 'answer-confirm'; readonly problem: Problem | null };

export interface Problem {
  readonly code: ProblemCode;
  readonly message: string;
}

export type Effect = Work | Note;

const notes: ReadonlySet<string> = new Set<Note['do']>(['log', 'wake', 'booted', 'answer-rollback', 'answer-confirm']);

export const isNote = (effect: Effect): effect is Note => notes.has(effect.do);

/** What a unit's actor says about it. */
export interface UnitSeen {
  readonly name: string;
  readonly isAlive: boolean;
  readonly slot: {
    readonly name: string;
    readonly unit: Unit;
    readonly journal: JournalUnit;
    readonly isTried: boolean;
    readonly engine: string;
    /** It was made with the ports that this server's settings say now. */
    readonly hasPorts: boolean;
  } | null;
}

export interface Survey {
  readonly hold: Hold | null;
  /** `sing-box 1.14.4`; null when none is found. */
  readonly engine: string | null;
  readonly units: readonly UnitSeen[];
  /** Of the units of the order, for the engine that each would run with. */
  readonly strikes: readonly Strike[];
}

export interface StagedSlot {
  readonly unit: JournalUnit;
  /** A request went through it in a trial. */
  readonly isTried: boolean;
}

export interface KeptUnits {
  /** Unexpected ends of each unit so far. */
  readonly restarts: Readonly<Record<string, number>>;
  /** The longest watch of them. */
  readonly watchMs: number;
}

export interface Seen {
  readonly units: readonly {
    readonly name: string;
    readonly digest: string;
    readonly restarts: number;
    /** Tells one run of its engine from the next. */
    readonly run: string;
    readonly message: string;
  }[];
  /** The first unit through which no request went. */
  readonly failed: { readonly name: string; readonly digest: string; readonly detail: string } | null;
  /** Null on a server that has no manager. */
  readonly isManagerReachable: boolean | null;
}

/** What each kind of work answers when it is done. */
export interface Results {
  /** What the links say was good, where the journal is lost. */
  readonly recover: { readonly found: JournalVersion | null };
  readonly adopt: { readonly isWhole: boolean; readonly alive: readonly string[] };
  readonly survey: Survey;
  readonly stage: StagedSlot;
  /** The slot as it serves. */
  readonly switch: JournalUnit;
  readonly keep: KeptUnits;
  readonly look: Seen;
  readonly compare: { readonly isBetter: boolean };
  readonly 'ask-uplink': { readonly isDown: boolean };
  readonly 'find-strike': { readonly engine: string; readonly strike: Strike | null };
}
