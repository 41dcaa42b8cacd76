import { compareGenerations, type Generation } from '@sbox/core';
import type { HistoryEntry } from '../order.ts';
import type { ConfirmTerms, JournalRecord, JournalStep, JournalVersion } from './journal.ts';

export interface Candidate {
  readonly version: JournalVersion;
  readonly isServing: boolean;
  /** False once the agent came up and found it down: then it waits to be tried again. */
  readonly isOpen: boolean;
  /** How often the agent came up and found it down. */
  readonly boots: number;
  readonly at: string;
  /** What it waits for beside its watch. */
  readonly confirm: ConfirmTerms | null;
}

export interface Committed {
  readonly version: JournalVersion;
  readonly at: string;
}

/** What the journal says about now. */
export interface Replayed {
  /** Oldest first; the last one is the last good version. */
  readonly committed: readonly Committed[];
  /** Taken over but not committed, the newest last. */
  readonly candidates: readonly Candidate[];
  /** The last one that nobody confirmed: it is not tried again by itself. */
  readonly unconfirmed: JournalVersion | null;
}

export const unconfirmedCode = 'apply.unconfirmed';

export const emptyReplay: Replayed = { committed: [], candidates: [], unconfirmed: null };

/** Versions that can be gone back to, the running one included. */
const keptVersions = 3;

/** Same bytes in the same slots: nothing would change by going from one to the other. */
export const isSameContent = (a: JournalVersion, b: JournalVersion): boolean =>
  a.units.length === b.units.length &&
  a.units.every((unit) => b.units.some((other) => other.name === unit.name && other.slot === unit.slot));

/** Local orders have no generation of their own, so that the content decides. */
export const isSameVersion = (a: JournalVersion, b: JournalVersion): boolean =>
  a.epoch === b.epoch &&
  a.generation === b.generation &&
  a.source === b.source &&
  a.units.length === b.units.length &&
  a.units.every(({ name, digest }) => b.units.some((other) => other.name === name && other.digest === digest));

const versionOf = ({ epoch, generation, source, units }: JournalRecord): JournalVersion => ({
  epoch,
  generation,
  source,
  units,
});

/** Pure: the whole truth about what is committed and what was left half done. */
export const replay = (records: readonly JournalRecord[]): Replayed => records.reduce(foldRecord, emptyReplay);

/** Pure: what one more record says. */
export function foldRecord(before: Replayed, record: JournalRecord): Replayed {
  const { committed, candidates } = before;
  const version = versionOf(record);
  const is = (other: { version: JournalVersion }): boolean => isSameVersion(other.version, version);
  const { at, confirm = null } = record;
  switch (record.step) {
    case 'SWITCHED': {
      const boots = candidates.find(is)?.boots ?? 0;
      const others = candidates.filter((other) => !is(other)).slice(1 - keptVersions);
      return { ...before, candidates: [...others, { version, isServing: false, isOpen: true, boots, at, confirm }] };
    }
    case 'BOOT':
      return {
        ...before,
        candidates: candidates.map((other) =>
          is(other) ? { ...other, isOpen: false, boots: other.boots + 1 } : other,
        ),
      };
    case 'SERVING':
      return {
        ...before,
        candidates: candidates.map((other) => (is(other) ? { ...other, isServing: true, at, confirm } : other)),
      };
    case 'HEALTHY': {
      const top = committed.at(-1);
      const isRenewed = top !== undefined && isSameContent(top.version, version);
      const older = isRenewed ? committed.slice(0, -1) : committed;
      return { ...before, committed: [...older, { version, at }].slice(-keptVersions), candidates: [] };
    }
    case 'ROLLEDBACK': {
      const top = committed.at(-1);
      // The running version itself was taken back, after a crash loop.
      const isTop = top !== undefined && is(top) && !candidates.some(is);
      const unconfirmed = record.code === unconfirmedCode ? version : before.unconfirmed;
      return { committed: isTop ? committed.slice(0, -1) : committed, candidates: [], unconfirmed };
    }
    case 'REFUSED':
      // What serves is taken back, never refused: it was offered once more, and nothing came of that.
      return { ...before, candidates: candidates.filter((other) => other.isServing || !is(other)) };
    case 'INTENT':
    case 'STAGED':
      break;
  }
  return before;
}

/** The newest generation of all records. */
export const newestOf = (records: readonly JournalRecord[]): Generation =>
  records.reduce<Generation>((newest, record) => (compareGenerations(record, newest) > 0 ? record : newest), {
    epoch: 0,
    generation: 0,
  });

/** Keeps the latest records for people, and in front of them what `replay` needs from before. */
export function compact(records: readonly JournalRecord[], latest = 100): JournalRecord[] {
  const from = Math.max(0, records.length - latest);
  const { committed, candidates, unconfirmed } = replay(records.slice(0, from));
  const carried = [
    // First, because what is taken back later would count for what is carried after it.
    ...(unconfirmed === null ? [] : [recordOf('ROLLEDBACK', unconfirmed, records[0]?.at ?? '', unconfirmedCode)]),
    ...committed.map(({ version, at }) => recordOf('HEALTHY', version, at)),
    ...candidates.flatMap(({ version, isServing, isOpen, boots, at, confirm }) => {
      const steps: JournalStep[] = ['SWITCHED', ...Array<JournalStep>(boots).fill('BOOT')];
      if (isOpen && boots > 0) steps.push('SWITCHED');
      if (isServing) steps.push('SERVING');
      const terms = confirm === null ? {} : { confirm };
      return steps.map((step) => ({ ...recordOf(step, version, at), ...terms }));
    }),
  ];
  return [...carried, ...records.slice(from)];
}

const recordOf = (
  step: JournalStep,
  version: JournalVersion,
  at: string,
  code: string | null = null,
): JournalRecord => ({
  ...version,
  step,
  at,
  code,
  message: null,
});

const stateOf: Readonly<Partial<Record<JournalStep, HistoryEntry['state']>>> = {
  INTENT: 'accepted',
  SERVING: 'serving',
  HEALTHY: 'committed',
  ROLLEDBACK: 'rolled-back',
  REFUSED: 'refused',
};

const maxEntries = 100;

/** One entry for each version in a row of records, with its last state; the newest last. */
export function historyOf(records: readonly JournalRecord[]): HistoryEntry[] {
  const entries: HistoryEntry[] = [];
  for (const record of records) {
    const state = stateOf[record.step];
    if (state === undefined) continue;
    const { epoch, generation, source, at, code, message } = record;
    const units = record.units.map(({ name, digest, config_id, version }) => ({ name, digest, config_id, version }));
    const entry: HistoryEntry = { epoch, generation, source, state, at, units, code, message };
    const index = entries.findLastIndex(
      (other) =>
        other.epoch === epoch &&
        other.generation === generation &&
        other.source === source &&
        other.units.every((unit, place) => unit.digest === units[place]?.digest),
    );
    if (index >= 0) entries.splice(index, 1);
    entries.push(entry);
  }
  return entries.slice(-maxEntries);
}
