import type { JournalVersion } from '../../state/journal.ts';
import { isSameVersion, unconfirmedCode } from '../../state/journal-replay.ts';
import { goodOf, refsOf, type ApplyState, type Time, type Watched } from './apply-state.ts';
import { judgeConfirm, withReached } from './confirm.ts';
import type { Seen } from './effect.ts';
import { resultOf } from './event.ts';
import type { Failure } from './failure.ts';
import { orderOf, postpone, strikeThen } from './refuse-steps.ts';
import {
  commitWork,
  generationFields,
  go,
  log,
  lookAgainMs,
  rest,
  restoreWork,
  say,
  tidyUp,
  tolerated,
  withoutNackUpTo,
  type Step,
} from './turn.ts';
import { makeRecord } from './version.ts';
import { isSuspect } from './watched.ts';

/** One look at a version that serves and is not committed. */
export const lookAt = (state: ApplyState, { version }: Watched): ApplyState =>
  go(state, [{ do: 'look', slots: refsOf(version) }], 'looked', 'looksBad');

const looked: Step = (state, answer, time) => {
  const seen = resultOf(answer, 'look');
  if (state.watched === null) return rest(state);
  const { watched } = state;
  const fails = seen.failed === null ? 0 : watched.fails + 1;
  const breaks = watched.breaks + (fails === 1 ? 1 : 0);
  const now = { ...sinceUnbroken(watched, seen, time), fails, breaks, confirm: withReached(watched, seen, time) };
  const next = { ...state, watched: now };
  const failure = endOf(now, seen) ?? (judgeConfirm(now, seen, time) === 'lost' ? unconfirmed : null);
  if (failure !== null) return takeBackIfBetter(next, failure, time);
  const good = goodOf(state);
  if (seen.failed === null || good === null || !isSuspect(now, state.settings.watch_fails))
    return decide(next, seen, time);
  const { name, digest, detail } = seen.failed;
  const refusing: Failure = {
    stage: 'watch',
    code: 'apply.probe-failed',
    message: detail,
    unit: name,
    digest,
    isShared: false,
  };
  // Going back has to help: the last good version is tried beside.
  return go(
    { ...next, refusing },
    [{ do: 'compare', version: good, serving: refsOf(watched.version) }],
    'watchCompared',
    'lookLater',
  );
};

/** Healthy for the whole watch means by the same engines, and without a break. */
function sinceUnbroken(watched: Watched, { failed, units }: Seen, { monotonic }: Time): Watched {
  const runs = Object.fromEntries(units.map(({ name, run }) => [name, run]));
  const isSame = units.every(({ name, run }) => watched.runs[name] === run);
  const isUnbroken = isSame && failed === null && watched.fails === 0;
  return { ...watched, runs, since: isUnbroken ? watched.since : monotonic };
}

const unconfirmed: Failure = {
  stage: 'watch',
  code: unconfirmedCode,
  message: 'nobody confirmed it in time, and nothing else speaks for it',
  unit: null,
  digest: null,
  isShared: false,
};

/** An engine that ended by itself during the watch. */
function endOf({ restarts }: Watched, { units }: Seen): Failure | null {
  const ended = units.find((unit) => unit.name in restarts && unit.restarts !== restarts[unit.name]);
  if (ended === undefined) return null;
  const { name: unit, digest, message } = ended;
  return { stage: 'watch', code: 'apply.failed', message, unit, digest, isShared: false };
}

/** Committed, or another look when it is time for one. */
function decide(state: ApplyState, seen: Seen, time: Time): ApplyState {
  const { watched, settings } = state;
  if (watched === null) return rest(state);
  const left = watched.since + watched.watchMs - time.monotonic;
  const isConfirmed = judgeConfirm(watched, seen, time) === 'held';
  if (seen.failed === null && left <= 0 && isConfirmed)
    return go(state, commitWork(watched.version, 'watch', time), 'committed', 'looksBad');
  const isOnlyConfirm = left <= 0 && watched.confirm !== null && seen.failed === null;
  const everyMs = isOnlyConfirm ? settings.care_every_ms : settings.watch_every_ms;
  const limits = [Math.max(1, everyMs), left, (watched.confirm?.deadline ?? 0) - time.monotonic].filter((ms) => ms > 0);
  return rest({ ...state, watched: { ...watched, lookAt: time.monotonic + Math.min(...limits) } });
}

const watchCompared: Step = (state, answer, time) => {
  const { refusing } = state;
  if (refusing?.unit === null || refusing === null) return lookLater(state, answer, time);
  if (resultOf(answer, 'compare').isBetter) return takeBackIfBetter(state, refusing, time);
  // Nobody is blamed any more; the line is asked only so that people see what is wrong.
  return go(state, [tolerated({ do: 'ask-uplink', unit: refusing.unit })], 'lookLater', 'lookLater');
};

const lookLater: Step = (state, _answer, { monotonic }) => {
  const { watched, settings } = state;
  const at = monotonic + settings.watch_every_ms;
  return rest({ ...state, refusing: null, watched: watched && { ...watched, lookAt: at } });
};

const looksBad: Step = (state, answer, time) =>
  answer.type === 'failed' ? takeBackIfBetter(state, answer.failure, time) : rest(state);

/** Nothing to go back to, or a disk that cannot take the verdict: it goes on, supervised. */
function takeBackIfBetter(state: ApplyState, failure: Failure, time: Time): ApplyState {
  const { watched } = state;
  const good = goodOf(state);
  if (watched === null) return rest({ ...state, refusing: null });
  if (good !== null && failure.code !== 'disk.full')
    return takeBack(state, { version: watched.version, failure, good }, time);
  const { monotonic } = time;
  // What ended once is not what is looked for from now on.
  const again = { ...watched, restarts: {}, since: monotonic, fails: 0, breaks: 0, lookAt: monotonic + lookAgainMs };
  const next = { ...state, refusing: null, isSticky: false, watched: again };
  return go(
    say(next, watched.version, failure, time),
    [tolerated({ do: 'keep', slots: refsOf(watched.version) })],
    'watchAgain',
    'watchAgain',
  );
}

const watchAgain: Step = (state, answer) => {
  const { watched } = state;
  if (watched === null || answer.type !== 'done') return rest(state);
  return rest({ ...state, watched: { ...watched, restarts: resultOf(answer, 'keep').restarts } });
};

interface TakeBack {
  readonly version: JournalVersion;
  readonly failure: Failure;
  /** What serves again. */
  readonly good: JournalVersion;
}

/** The version before serves again; the one taken back is tried again later or never. */
function takeBack(state: ApplyState, { version, failure, good }: TakeBack, time: Time): ApplyState {
  const fields = { ...generationFields(version), code: failure.code, detail: failure.message };
  const next = log(state, 'warn', 'A version is taken back', fields);
  const record = makeRecord({ step: 'ROLLEDBACK', version, now: time.now, why: failure });
  const queue = [
    tolerated({ do: 'record', record }),
    ...restoreWork(good, 'reverse'),
    tolerated({ do: 'mark', version: good }),
  ];
  return go({ ...next, refusing: failure, takenBack: version }, queue, 'takenBack', 'takenBack');
}

const takenBack: Step = (state) => {
  const next = { ...state, watched: null };
  return state.refusing === null ? rest(next) : strikeThen(next, state.refusing, 'putOffTakenBack');
};

const putOffTakenBack: Step = (state, _answer, time) => {
  const { takenBack: version, refusing } = state;
  if (version === null || refusing === null) return rest(state);
  const order = orderOf(state, version);
  const next = order === null ? state : postpone(state, order, state.attempt, time);
  return rest({ ...say(next, version, refusing, time), takenBack: null, refusing: null });
};

const committed: Step = (state) => {
  const { watched } = state;
  if (watched === null) return rest(state);
  const next = withoutNackUpTo({ ...state, watched: null }, watched.version);
  return tidyUp(log(next, 'info', 'A version is committed', generationFields(watched.version)), watched.version);
};

/** A crash loop soon after the commit: the version before comes back, unless it would run just the same. */
export function afterCrashLoop(state: ApplyState, time: Time): ApplyState {
  const { crashed, journal, settings } = state;
  const next = { ...state, crashed: null };
  const [before, top] = journal.committed.slice(-2);
  const unit = top?.version.units.find(({ name }) => name === crashed?.unit);
  // It may have been taken back already, while something else was done.
  if (crashed === null || top === undefined || before === undefined || unit?.slot !== crashed.slot) return next;
  const age = time.now - Date.parse(top.at);
  const isSameSlot = before.version.units.some(({ name, slot }) => name === unit.name && slot === unit.slot);
  if (isSameSlot || age > settings.crash_rollback_ms) return next;
  const { name, digest } = unit;
  const failure: Failure = {
    stage: 'watch',
    code: 'engine.crash-loop',
    message: crashed.words,
    unit: name,
    digest,
    isShared: false,
  };
  return takeBack(next, { version: top.version, failure, good: before.version }, time);
}

/** Whether this is the version that is being watched. */
export const isWatching = ({ watched }: ApplyState, version: JournalVersion): boolean =>
  watched !== null && isSameVersion(watched.version, version);

export const watchSteps = {
  looked,
  looksBad,
  lookLater,
  watchCompared,
  watchAgain,
  takenBack,
  putOffTakenBack,
  committed,
};
