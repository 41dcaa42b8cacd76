import { foldRecord } from '../../state/journal-replay.ts';
import type { ApplyState, Time } from './apply-state.ts';
import { isOlder, offer, offerAgain, take } from './backlog.ts';
import { boot } from './boot-steps.ts';
import { care } from './care-steps.ts';
import type { Effect, Work } from './effect.ts';
import { resultOf, type Answer, type ApplyEvent } from './event.ts';
import { follow } from './follow-steps.ts';
import { confirm, nothingPending, rollBack } from './operator-steps.ts';
import { steps } from './steps.ts';
import { withSwitched } from './take-over-steps.ts';
import { go, pause, rest, tell } from './turn.ts';
import { isSameOrder } from './version.ts';
import { afterCrashLoop, lookAt } from './watch-steps.ts';

export interface Reduced {
  readonly state: ApplyState;
  /** One piece of work at most, and only when none is under way. */
  readonly effects: readonly Effect[];
}

/**
 * What an agent does next, from what it knows, what happened and when. Pure: the same arguments give the same answer, and
 * everything in them is plain data.
 */
export function reduce(state: ApplyState, event: ApplyEvent, time: Time): Reduced {
  const isFree = state.task === null || isAnswer(event);
  const next = settle(apply(state, event, time), event, time);
  const [work] = next.task?.queue ?? [];
  const effects: Effect[] = [...next.notes, ...(isFree && work !== undefined ? [work] : [])];
  return { state: { ...next, notes: [] }, effects };
}

/** After a fault in a decision: what was under way is dropped, and everything is looked at again after a while. */
export function giveUpWork(state: ApplyState, event: ApplyEvent, time: Time): Reduced {
  if (!isAnswer(event)) return { state, effects: [] };
  const { following, due, backlog } = state;
  const order = following?.order ?? due?.order;
  const again = order === undefined ? backlog : offerAgain(backlog, order);
  const calm = { ...state, backlog: again, following: null, due: null, refusing: null, rollback: null, notes: [] };
  const next = pause({ ...calm, isRollbackAsked: false, confirmAsked: null }, event, time);
  const problem = { code: 'internal.error', message: 'a decision failed; see the log' } as const;
  const effects: Effect[] = state.isBooted ? [] : [{ do: 'booted', problem }];
  if (state.isRollbackAsked) effects.push({ do: 'answer-rollback', version: null, problem });
  if (state.confirmAsked !== null) effects.push({ do: 'answer-confirm', problem });
  return { state: next, effects: [...effects, ...(next.task?.queue ?? [])] };
}

const isAnswer = (event: ApplyEvent): event is Answer => event.type === 'done' || event.type === 'failed';

function apply(state: ApplyState, event: ApplyEvent, time: Time): ApplyState {
  switch (event.type) {
    case 'done':
    case 'failed':
      return onAnswer(state, event);
    case 'boot':
      return state.task === null && !state.isBooted ? boot(state, nothing, time) : state;
    case 'offer':
      return onOffer(state, event.order);
    case 'ended':
      return onEnded(state, event.end, time);
    case 'rollback': {
      if (!state.isRollbackAsked) return tell({ ...state, isRollbackAsked: true }, { do: 'wake', download: true });
      const problem = { code: 'precondition.failed', message: 'a rollback is under way' } as const;
      return tell(state, { do: 'answer-rollback', version: null, problem });
    }
    case 'released':
      return tell({ ...state, careAt: Math.min(state.careAt, time.monotonic) }, { do: 'wake', download: false });
    case 'confirm':
      break;
  }
  return onConfirm(state);
}

const nothing: Answer = { type: 'done', of: 'wait', result: null };

/** One piece of work is over: what it wrote down is known from now on, and what fails may end the row. */
function onAnswer(state: ApplyState, answer: Answer): ApplyState {
  const { task } = state;
  const [work, ...queue] = task?.queue ?? [];
  if (task === null || work === undefined) return state;
  const next = answer.type === 'done' ? remember(state, work, answer) : state;
  const isOver = answer.type === 'failed' && work.isTolerated !== true;
  return { ...next, task: isOver ? { queue: [], next: task.orElse, orElse: task.orElse } : { ...task, queue } };
}

function remember(state: ApplyState, work: Work, answer: Answer): ApplyState {
  if (work.do === 'record')
    return { ...state, journal: foldRecord(state.journal, work.record), lastRecord: work.record };
  if (work.do === 'switch' && state.following !== null)
    return { ...state, following: withSwitched(state.following, resultOf(answer, 'switch')) };
  if (work.do !== 'accept') return state;
  const { key: _key, ...accepted } = work.order;
  return { ...state, accepted };
}

function onOffer(state: ApplyState, order: Extract<ApplyEvent, { type: 'offer' }>['order']): ApplyState {
  const { following, due } = state;
  const current = following?.order ?? due?.order;
  const isItself = current !== undefined && isSameOrder(current, order);
  // Said once more while it is on its way: only where its content comes from may have changed.
  if (isItself && current.key !== null)
    return { ...state, due: due && { ...due, order }, following: following && { ...following, order } };
  const { backlog, isNews } = offer(state.backlog, order);
  // What is older than what is on its way is only looked at: that needs no download to end.
  const isNewer = current === undefined || !(isItself || isOlder(order, current));
  return isNews ? tell({ ...state, backlog }, { do: 'wake', download: isNewer }) : { ...state, backlog };
}

function onEnded(state: ApplyState, end: Extract<ApplyEvent, { type: 'ended' }>['end'], time: Time): ApplyState {
  const crashed = end.isCrashLoop ? end : state.crashed;
  const watched = state.watched && { ...state.watched, lookAt: time.monotonic };
  return tell({ ...state, crashed, watched }, { do: 'wake', download: false });
}

function onConfirm(state: ApplyState): ApplyState {
  const { watched, following } = state;
  // What is being replaced is past confirming.
  if (watched?.confirm && following === null)
    return tell({ ...state, confirmAsked: watched.version }, { do: 'wake', download: false });
  return tell(state, { do: 'answer-confirm', problem: nothingPending(state) });
}

/** More decisions in a row without any work are a bug, and must not hang an agent. */
const maxTurns = 1000;

/** Decides until there is work to do. */
function settle(state: ApplyState, event: ApplyEvent, time: Time): ApplyState {
  const answer = isAnswer(event) ? event : nothing;
  let next = state;
  for (let turn = 0; turn < maxTurns; turn += 1) {
    if (next.task === null) {
      if (!next.isBooted) return next;
      next = choose(next, time);
    } else if (next.task.queue.length === 0) {
      next = steps[next.task.next]({ ...next, task: null }, answer, time);
    } else return next;
  }
  throw new RangeError('decisions without end');
}

/** The next thing to do, when nothing is under way: the first of these that is due. */
function choose(state: ApplyState, time: Time): ApplyState {
  const { monotonic } = time;
  if (monotonic >= state.careAt) return care(state, time);
  if (state.isRollbackAsked) return rollBack(state);
  if (state.confirmAsked !== null) return confirm(state, time.now);
  const { backlog, due } = take(state.backlog, monotonic);
  if (due !== null) return follow({ ...state, backlog }, due);
  const { watched, crashed } = state;
  if (watched !== null && monotonic >= watched.lookAt) return lookAt(state, watched);
  if (watched === null && crashed !== null) return afterCrashLoop(state, time);
  const until = Math.min(state.careAt, state.backlog.retry?.at ?? Infinity, watched?.lookAt ?? Infinity);
  return go(rest(state), [{ do: 'wait', until }], 'rest', 'rest');
}
