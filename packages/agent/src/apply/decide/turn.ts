import { compareGenerations } from '@sbox/core';
import type { JournalVersion } from '../../state/journal.ts';
import { makeNack } from '../nack.ts';
import { refsOf, type ApplyState, type Task, type Time } from './apply-state.ts';
import type { Note, UnitRef, Work } from './effect.ts';
import type { Answer } from './event.ts';
import type { ApplyStage, Failure } from './failure.ts';
import { makeRecord } from './version.ts';

/** Decides what comes next, after the answer to the last work of a row. */
export type Step = (state: ApplyState, answer: Answer, time: Time) => ApplyState;

/** Goes on with this row of work. */
export const go = (
  state: ApplyState,
  queue: Task['queue'],
  next: Task['next'],
  orElse: Task['orElse'],
): ApplyState => ({
  ...state,
  task: { queue, next, orElse },
});

/** Nothing is under way: what is due next is chosen. */
export const rest = (state: ApplyState): ApplyState => ({ ...state, task: null });

export const tell = (state: ApplyState, note: Note): ApplyState => ({ ...state, notes: [...state.notes, note] });

export const log = (
  state: ApplyState,
  level: 'info' | 'warn' | 'error',
  text: string,
  fields: Readonly<Record<string, unknown>>,
): ApplyState => tell(state, { do: 'log', level, text, fields });

/** For what must not stop the work. */
export const tolerated = (work: Work): Work => ({ ...work, isTolerated: true });

export const generationFields = ({ epoch, generation, source }: JournalVersion): Record<string, unknown> => ({
  epoch,
  generation,
  source,
});

/** After a step that failed, until it is tried again. */
export const lookAgainMs = 5000;

/** Waits before anything is tried again; whatever happens meanwhile ends the wait. */
export const pause: Step = (state, _answer, { monotonic }) =>
  go(state, [{ do: 'wait', until: monotonic + lookAgainMs }], 'rest', 'rest');

/** Brings a version back, in the order that its units depend on each other or the other way round. */
export function restoreWork(version: JournalVersion | null, order: 'forward' | 'reverse' = 'forward'): Work[] {
  const refs = version === null ? [] : refsOf(version);
  const inOrder = order === 'forward' ? refs : refs.toReversed();
  const stopOthers: Work = { do: 'stop-others', units: version?.units.map(({ name }) => name) ?? [] };
  return [stopOthers, ...inOrder.map((ref: UnitRef): Work => ({ do: 'restore', ...ref }))].map(tolerated);
}

/** From now on this version is the one to come back to. */
export const commitWork = (version: JournalVersion, stage: ApplyStage, { now }: Time): Work[] => [
  { do: 'record', record: makeRecord({ step: 'HEALTHY', version, now }), stage },
];

/** What is left to be done about a version that is committed. */
export const tidyUp = (state: ApplyState, version: JournalVersion): ApplyState =>
  go(state, [tolerated({ do: 'mark', version }), tolerated({ do: 'tidy' })], 'rest', 'rest');

/** Says to the world what was refused and why. */
export function say(
  state: ApplyState,
  version: { readonly epoch: number; readonly generation: number },
  failure: Failure,
  time: Time,
): ApplyState {
  const { isSticky: sticky, backlog } = state;
  const waitMs = backlog.retry === null ? Infinity : backlog.retry.at - time.monotonic;
  const nack = makeNack({ version, refusal: failure, sticky, now: time.now, waitMs });
  // What was said of something newer still holds; a file of this machine has no generation.
  const isOld = state.nack !== null && version.generation > 0 && compareGenerations(state.nack, version) > 0;
  return log(isOld ? state : { ...state, nack }, 'warn', 'An order was refused', { ...nack });
}

/** A later success ends what was said about this version or an earlier one. */
export const withoutNackUpTo = (state: ApplyState, version: JournalVersion): ApplyState =>
  state.nack !== null && compareGenerations(state.nack, version) <= 0 ? { ...state, nack: null } : state;
