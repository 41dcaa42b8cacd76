import { printGeneration } from '@sbox/core';
import { goodOf, refsOf, type ApplyState } from './apply-state.ts';
import type { Problem, Work } from './effect.ts';
import { generationFields, go, log, rest, restoreWork, tell, tolerated, type Step } from './turn.ts';
import { makeRecord } from './version.ts';
import { isWatching } from './watch-steps.ts';

const noOther: Problem = { code: 'history.empty', message: 'no other version was committed' };
const filesGone: Problem = { code: 'history.empty', message: 'its files are gone' };

/** With what is there in its place, so that nobody wonders whether it was kept or taken back. */
export function nothingPending(state: ApplyState): Problem {
  const { watched, following } = state;
  const good = goodOf(state);
  const runs = watched !== null ? `${printGeneration(watched.version)} serves, and its probes decide` : undefined;
  const kept = good !== null ? `${printGeneration(good)} runs and is committed` : undefined;
  const next = following === null ? '' : `; ${printGeneration(following.order.manifest)} is being applied`;
  return { code: 'confirm.nothing-pending', message: `${runs ?? kept ?? 'nothing runs'}${next}` };
}

/** Somebody wants the version before the running one. */
export function rollBack(state: ApplyState): ApplyState {
  const { watched, journal } = state;
  const from = watched?.version ?? goodOf(state);
  const to = journal.committed.at(watched === null ? -2 : -1)?.version;
  if (from === null || to === undefined) return refuseRollback(state, noOther);
  return go(
    { ...state, rollback: { from, to } },
    [{ do: 'find-files', slots: refsOf(to) }],
    'rollbackFound',
    'rollbackImpossible',
  );
}

const refuseRollback = (state: ApplyState, problem: Problem): ApplyState => {
  const next = { ...state, isRollbackAsked: false, rollback: null };
  return rest(tell(next, { do: 'answer-rollback', version: null, problem }));
};

const rollbackImpossible: Step = (state) => refuseRollback(state, filesGone);

const rollbackFailed: Step = (state, answer) => {
  const { code, message } = answer.type === 'failed' ? answer.failure : filesGone;
  return refuseRollback(state, { code, message });
};

/** Held until something newer comes than what is known now. */
const rollbackFound: Step = (state, _answer, time) => {
  if (state.rollback === null) return rest(state);
  const { from } = state.rollback;
  const { epoch, generation } = state.accepted?.manifest ?? from;
  const hold = { reason: reasonOf(state), until: { epoch, generation } };
  const why = { code: 'apply.rolled-back', message: 'by hand' };
  const record = makeRecord({ step: 'ROLLEDBACK', version: from, now: time.now, why });
  const queue: Work[] = [
    { do: 'put-hold', hold },
    { do: 'record', record, stage: 'rollback' },
  ];
  return go(state, queue, 'rollbackHeld', 'rollbackFailed');
};

const reasonOf = ({ rollback }: ApplyState): string =>
  `rolled back by hand from ${rollback?.from.epoch}.${rollback?.from.generation}`;

const rollbackHeld: Step = (state) => {
  if (state.rollback === null) return rest(state);
  const { to } = state.rollback;
  const held = { reason: reasonOf(state), order: null };
  // What was tried before is not tried again by itself; an order that waits still comes.
  const backlog = { ...state.backlog, retry: null };
  const queue = [...restoreWork(to, 'reverse'), tolerated({ do: 'mark', version: to })];
  return go({ ...state, held, backlog, watched: null, nack: null }, queue, 'rolledBack', 'rolledBack');
};

const rolledBack: Step = (state) => {
  const version = state.rollback?.to ?? null;
  const next = { ...state, isRollbackAsked: false, rollback: null };
  return rest(tell(next, { do: 'answer-rollback', version, problem: null }));
};

/** Somebody speaks for the version that serves; written down, so that a restart does not forget it. */
export function confirm(state: ApplyState, now: number): ApplyState {
  const { watched, confirmAsked } = state;
  if (!isPending(state) || watched === null) {
    return tell(
      { ...state, confirmAsked: null },
      { do: 'answer-confirm', problem: confirmAsked && nothingPending(state) },
    );
  }
  const record = makeRecord({ step: 'SERVING', version: watched.version, now });
  return go(state, [tolerated({ do: 'record', record })], 'confirmed', 'confirmed');
}

/** The version that was confirmed serves still, and waits for it. */
const isPending = (state: ApplyState): boolean =>
  (state.watched?.confirm ?? null) !== null && state.confirmAsked !== null && isWatching(state, state.confirmAsked);

const confirmed: Step = (state, _answer, { monotonic }) => {
  const { watched } = state;
  const next = tell({ ...state, confirmAsked: null }, { do: 'answer-confirm', problem: null });
  if (watched === null) return rest(next);
  const calm = { ...watched, confirm: null, lookAt: monotonic };
  return rest(log({ ...next, watched: calm }, 'info', 'A version is confirmed', generationFields(watched.version)));
};

export const operatorSteps = { rollbackFound, rollbackImpossible, rollbackFailed, rollbackHeld, rolledBack, confirmed };
