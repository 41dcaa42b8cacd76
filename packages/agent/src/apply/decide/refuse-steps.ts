import { compareGenerations, isoTime } from '@sbox/core';
import { buildName } from '../../engines/engine-name.ts';
import type { JournalVersion } from '../../state/journal.ts';
import { isSameVersion } from '../../state/journal-replay.ts';
import { retryDelayMs } from '../retry-schedule.ts';
import type { ApplyState, Time } from './apply-state.ts';
import type { OrderData } from './order-data.ts';
import type { Work } from './effect.ts';
import { resultOf } from './event.ts';
import { isFinalStrike, judge, shownMessage, type Failure } from './failure.ts';
import type { StepName } from './step-name.ts';
import { go, rest, say, tolerated, type Step } from './turn.ts';
import { isSameOrder, makeRecord, versionOfOrder } from './version.ts';

/** The order is not followed: written down, tidied up, and judged by what failed. */
const refuse: Step = (state, answer, time) => {
  const failure = state.refusing ?? (answer.type === 'failed' ? answer.failure : null);
  if (failure === null || state.following === null) return rest({ ...state, following: null, refusing: null });
  const version = versionOfOrder(state.following.order);
  const last = state.lastRecord;
  // What nobody confirmed stays in the history as what it was.
  const isKnown = failure.code === 'apply.unconfirmed' && failure.stage === 'verify';
  // An old message says nothing about a version that may have been committed since.
  const isOld = failure.code === 'manifest.stale';
  const isTold = isKnown || isOld || (last?.step === 'ROLLEDBACK' && isSameVersion(last, version));
  const record = makeRecord({ step: 'REFUSED', version, now: time.now, why: failure });
  const queue: Work[] = [...(isTold ? [] : [{ do: 'record', record } as const]), { do: 'tidy' }];
  return go({ ...state, refusing: failure }, queue.map(tolerated), 'refused', 'refused');
};

const refused: Step = (state) => (state.refusing === null ? rest(state) : strikeThen(state, state.refusing, 'putOff'));

const putOff: Step = (state, _answer, time) => {
  const { following, refusing } = state;
  if (following === null || refusing === null) return rest(state);
  const next = postpone(state, following.order, following.attempt, time);
  return rest({ ...say(next, following.order.manifest, refusing, time), following: null, refusing: null });
};

/** Never again, or later: what is in `refusing` decides. */
export function postpone(state: ApplyState, tried: OrderData, attempt: number, time: Time): ApplyState {
  const { refusing, isSticky, backlog, settings, engine } = state;
  if (refusing === null) return state;
  const { code, isShared } = refusing;
  // Offered once more meanwhile: no reason to try it at once, unless that brings what was missing.
  const again = backlog.waiting !== null && isSameOrder(backlog.waiting, tried) ? backlog.waiting : null;
  if (again !== null && code.startsWith('blob.') && tried.key === null) return state;
  const order = again ?? tried;
  const waiting = again === null ? backlog.waiting : null;
  if (isSticky) return { ...state, backlog: { ...backlog, waiting, refused: { order, engine, code } } };
  // An outage that the running version shares must not make this one wait longer and longer.
  const delayMs = retryDelayMs(isShared ? 1 : attempt, time.random, settings.retry_ms);
  const retry = { order, at: time.monotonic + delayMs, attempt: isShared ? 0 : attempt, code };
  return { ...state, backlog: { ...backlog, waiting, retry } };
}

/** Finds out whether the same bytes may be tried again, says so in `isSticky`, and goes on. */
export function strikeThen(state: ApplyState, failure: Failure, then: StepName): ApplyState {
  const verdict = judge(failure.code, failure.message);
  const next = { ...state, refusing: failure, isSticky: verdict === 'order', afterStrike: then };
  const isAboutBytes = verdict === 'final' || verdict === 'strike';
  if (failure.digest === null || !isAboutBytes || failure.isShared) return go(next, [], then, then);
  const work: Work = { do: 'find-strike', digest: failure.digest, engine: engineOf(state, failure.digest) };
  return go(next, [work], 'judgeStrike', 'guessStrike');
}

const judgeStrike: Step = (state, answer, time) => {
  const { refusing, afterStrike } = state;
  if (refusing === null || refusing.digest === null) return rest(state);
  const { engine, strike } = resultOf(answer, 'find-strike');
  const { code, digest } = refusing;
  const isFinal = isFinalStrike(refusing, strike);
  const at = isoTime(time.now);
  const put: Work = {
    do: 'quarantine',
    strike: { digest, engine, code, message: shownMessage(refusing.message), at, isFinal },
  };
  return go({ ...state, engine: state.engine ?? engine, isSticky: isFinal }, [put], afterStrike, 'guessStrike');
};

/** Nothing could be looked up or written down: then only what is certain counts. */
const guessStrike: Step = (state) => {
  const { refusing, afterStrike } = state;
  const isSticky = refusing !== null && judge(refusing.code, refusing.message) === 'final';
  return go({ ...state, isSticky }, [], afterStrike, afterStrike);
};

/** The engine that an order wants these bytes to run with; null where it leaves that to this server. */
function engineOf({ following, accepted }: ApplyState, digest: string): string | null {
  const units = [following?.order, accepted].flatMap((order) => order?.manifest.units ?? []);
  const unit = units.find(({ config }) => config.digest === digest);
  return unit?.engine_build === undefined ? null : buildName(unit.kind, unit.engine_build);
}

/** The order behind a version, if this agent remembers it. */
export function orderOf({ accepted }: ApplyState, version: JournalVersion): OrderData | null {
  const isIt = accepted?.source === version.source && compareGenerations(accepted.manifest, version) === 0;
  return isIt ? { ...accepted, key: null } : null;
}

export const refuseSteps = { refuse, refused, putOff, judgeStrike, guessStrike };
