import { compareGenerations, ProblemError } from '@sbox/core';
import type { Unit } from '@sbox/protocol';
import { buildName } from '../../engines/engine-name.ts';
import { isEndedBy } from '../../state/hold.ts';
import type { JournalUnit } from '../../state/journal.ts';
import { isSameVersion } from '../../state/journal-replay.ts';
import { orderUnits } from '../../supervisor/unit-order.ts';
import { goodOf, type ApplyState, type Following, type Time } from './apply-state.ts';
import type { OrderData } from './order-data.ts';
import { isOlder, offerAgain, type Due } from './backlog.ts';
import type { StagedSlot, Survey, UnitSeen, Work } from './effect.ts';
import { isResultOf, resultOf } from './event.ts';
import type { Failure } from './failure.ts';
import { commitWork, go, log, generationFields, pause, rest, tidyUp, tolerated, type Step } from './turn.ts';
import { takeOver } from './take-over-steps.ts';
import {
  generationOf,
  isSameAs,
  isOtherServer,
  isSameOrder,
  makeRecord,
  relate,
  unitsOf,
  versionOfOrder,
  versionOfUnits,
} from './version.ts';

/** Before anything of an order is done, the agent looks around. */
export const follow = (state: ApplyState, due: Due): ApplyState =>
  go({ ...state, due }, [{ do: 'survey', order: due.order }], 'surveyed', 'surveyFailed');

const surveyed: Step = (state, answer) => {
  const { due } = state;
  if (due === null) return rest(state);
  const survey = resultOf(answer, 'survey');
  const { hold } = survey;
  const { order, attempt } = due;
  const isEnded =
    hold !== null && (isEndedBy(hold, order.manifest) || (hold.until !== null && isNewLine(state, order.manifest)));
  const isHeld = hold !== null && !isEnded;
  const held = isHeld ? { reason: hold.reason, order } : null;
  const next = { ...state, held, engine: survey.engine };
  if (isHeld) return rest({ ...next, due: null });
  const fallback = goodOf(state) ?? state.watched?.version ?? null;
  const facts = { order, attempt, fallback, survey, kept: [], removed: [], staged: [], confirm: null };
  const release: Work[] = hold === null ? [] : [{ do: 'release-hold' }];
  return go({ ...next, following: facts }, release, 'begin', 'surveyFailed');
};

/** The order is not lost: it comes again after a while. */
const surveyFailed: Step = (state, answer, time) => {
  const { due, backlog } = state;
  const again = due === null ? backlog : offerAgain(backlog, due.order);
  return pause({ ...state, backlog: again, due: null, following: null }, answer, time);
};

const begin: Step = (state) => {
  const { following } = state;
  if (following === null) return rest(state);
  const { order, attempt } = following;
  const seen = observe(
    { ...state, due: null, nack: null, refusing: null, attempt, unsupported: order.unsupported ?? [] },
    order,
  );
  const failure = objectionTo(state, order);
  if (failure !== null) return go({ ...seen, refusing: failure }, [], 'refuse', 'refuse');
  const facts = { ...following, ...compare(order, following.survey) };
  const isNews = order.source !== 'local' && relate(order, state.accepted, state.least) === 'newer';
  const queue: Work[] = isNews ? [{ do: 'accept', order, stage: 'verify' }] : [];
  for (const { name } of order.manifest.units.filter((unit) => isRenewed(unit, facts)))
    queue.push({ do: 'renew', order, unit: name, stage: 'verify' });
  return go({ ...seen, following: facts }, queue, 'accepted', 'refuse');
};

/** This server joined again: neither numbers nor holds of who it was before say anything about this order. */
const isNewLine = ({ accepted }: ApplyState, manifest: OrderData['manifest']): boolean =>
  accepted !== null && isOtherServer(manifest, accepted.manifest);

function observe(state: ApplyState, { source, manifest }: OrderData): ApplyState {
  const isNewer =
    state.observed === null || isNewLine(state, manifest) || compareGenerations(manifest, state.observed) > 0;
  return source === 'local' || !isNewer ? state : { ...state, observed: generationOf(manifest) };
}

/** A generation never goes back, never changes what it means, and is not tried again when nobody confirmed it. */
function objectionTo(state: ApplyState, order: OrderData): Failure | null {
  const { manifest, source } = order;
  const objection = (code: Failure['code'], detail: string): Failure => {
    const message = `generation ${manifest.epoch}.${manifest.generation}: ${detail}`;
    return { stage: 'verify', code, message, unit: null, digest: null, isShared: false };
  };
  try {
    orderUnits(manifest.units);
  } catch (error) {
    return objection('manifest.invalid', error instanceof ProblemError ? error.message : 'its units cannot be ordered');
  }
  if (source === 'local') return null;
  const relation = relate(order, state.accepted, state.least);
  if (relation === 'older') return objection('manifest.stale', 'a newer generation was accepted before');
  if (relation === 'contradicts') return objection('manifest.stale', 'it was accepted before with other content');
  const { unconfirmed } = state.journal;
  if (unconfirmed === null || !isSameVersion(unconfirmed, versionOfOrder(order))) return null;
  return objection('apply.unconfirmed', 'it was taken back, because nothing confirmed it in time');
}

type Found = Pick<Following, 'kept' | 'removed'>;

/** Units that already run just this: same bytes, same ports, same engine; and those that run and are not wanted. */
function compare({ manifest: { units } }: OrderData, survey: Survey): Found {
  const kept = units.filter((unit) => {
    const { slot, isAlive } = seenOf(survey, unit.name) ?? { slot: null, isAlive: false };
    if (slot === null || !isAlive || !slot.hasPorts || slot.unit.config.digest !== unit.config.digest) return false;
    if (slot.unit.engine_build?.digest !== unit.engine_build?.digest) return false;
    const engine = engineFor(unit, survey);
    return engine === null || engine === slot.engine;
  });
  const running = survey.units.filter(({ slot }) => slot !== null).map(({ name }) => name);
  const removed = running.filter((name) => units.every((unit) => unit.name !== name));
  return { kept: kept.map(({ name }) => name), removed };
}

const seenOf = ({ units }: Survey, name: string): UnitSeen | undefined => units.find((unit) => unit.name === name);

/** The engine that a unit would run with. */
export const engineFor = ({ kind, engine_build }: Unit, { engine }: Pick<Survey, 'engine'>): string | null =>
  engine_build === undefined ? engine : buildName(kind, engine_build);

/** What is said about a unit beside its bytes, such as its probe, changes without touching the engine. */
function isRenewed(unit: Unit, { kept, survey }: Following): boolean {
  const before = seenOf(survey, unit.name)?.slot?.unit;
  return kept.includes(unit.name) && JSON.stringify(before) !== JSON.stringify(unit);
}

const accepted: Step = (state, _answer, time) => {
  const { following } = state;
  if (following === null) return rest(state);
  const { order, kept, removed } = following;
  const isAllThere = kept.length === order.manifest.units.length && removed.length === 0;
  if (isAllThere) return runsAlready(state, following, time);
  const record = makeRecord({ step: 'INTENT', version: versionOfOrder(order), now: time.now });
  return go(state, [{ do: 'record', record, stage: 'verify' }], 'stageNext', 'refuse');
};

/** All of it runs: nothing is touched, and a watch that is under way goes on under the new generation. */
function runsAlready(state: ApplyState, following: Following, time: Time): ApplyState {
  const units = versionOfOrder(following.order).units.map((unit) => runningUnit(following, unit));
  const version = versionOfUnits(following.order, units);
  const { watched } = state;
  const next = log(state, 'info', 'The version runs already', generationFields(version));
  if (watched !== null) return rest(endFollowing({ ...next, watched: { ...watched, version } }));
  if (isSameAs(version, goodOf(state))) return rest(endFollowing(next));
  return go(next, commitWork(version, 'verify', time), 'renamed', 'refuse');
}

/** The unit as it runs, with what the order calls its content. */
function runningUnit({ survey }: Following, unit: JournalUnit): JournalUnit {
  const running = seenOf(survey, unit.name)?.slot?.journal;
  const { overlay, slot } = running ?? unit;
  return { ...unit, overlay, slot };
}

/** What is followed now makes what was refused before a matter of the past. */
const endFollowing = (state: ApplyState): ApplyState => ({
  ...state,
  following: null,
  backlog: { ...state.backlog, refused: null },
});

/** What was committed under another generation is committed under this one. */
const renamed: Step = (state) => {
  const good = goodOf(state);
  return good === null ? rest(endFollowing(state)) : tidyUp(endFollowing(state), good);
};

/** One unit after another is made ready, those that others depend on first. */
const stageNext: Step = (state, answer) => {
  if (state.following === null) return rest(state);
  const before = state.following;
  const fresh = isResultOf(answer, 'stage') ? [resultOf(answer, 'stage')] : [];
  const staged: StagedSlot[] = [...before.staged, ...fresh];
  const following: Following = { ...before, staged };
  for (const unit of unitsOf(following.order).slice(staged.length)) {
    if (!following.kept.includes(unit.name)) return stage({ ...state, following }, following, unit);
    staged.push(keptSlot(following, unit));
  }
  return go({ ...state, following }, [{ do: 'survey', order: following.order }], 'staged', 'refuse');
};

/** Somebody may have put a hold up while all of it was fetched and tried. */
const staged: Step = (state, answer, time) => {
  const { following } = state;
  if (following === null) return rest(state);
  const { hold } = resultOf(answer, 'survey');
  if (hold === null || isEndedBy(hold, following.order.manifest)) return takeOver(state, following, time);
  const held = { reason: hold.reason, order: following.order };
  return go({ ...state, held, following: null }, [tolerated({ do: 'tidy' })], 'rest', 'rest');
};

const keptSlot = (following: Following, unit: Unit): StagedSlot => {
  const found = versionOfOrder(following.order).units.find(({ name }) => name === unit.name);
  const slot = seenOf(following.survey, unit.name)?.slot;
  if (found === undefined || slot === null || slot === undefined)
    throw new TypeError(`unit "${unit.name}" is not there`);
  return { unit: runningUnit(following, found), isTried: slot.isTried };
};

/** What the bytes alone decided once is not tried again by the same engine. */
function stage(state: ApplyState, { order, survey }: Following, unit: Unit): ApplyState {
  const { name, config } = unit;
  const engine = engineFor(unit, survey);
  const strike = survey.strikes.find((each) => each.digest === config.digest && each.engine === engine);
  if (strike?.isFinal !== true) {
    // What serves and is not confirmed in time is taken back in time, whatever is on its way.
    const overtakenAt = state.watched?.confirm?.deadline ?? null;
    const facts = { isOvertaken: isOvertaken(state), overtakenAt };
    return go(state, [{ do: 'stage', order, unit: name, ...facts, stage: 'verify' }], 'stageNext', 'refuse');
  }
  const { code, message, digest } = strike;
  const failure: Failure = { stage: 'verify', code, message, unit: name, digest, isShared: false };
  return go({ ...state, refusing: failure }, [], 'refuse', 'refuse');
}

/** Something newer waits: what is still being downloaded is not worth waiting for. */
function isOvertaken({ backlog: { waiting }, following, isRollbackAsked }: ApplyState): boolean {
  if (isRollbackAsked || waiting === null || following === null) return isRollbackAsked;
  return !isSameOrder(waiting, following.order) && !isOlder(waiting, following.order);
}

export const followSteps = { surveyed, surveyFailed, begin, accepted, renamed, stageNext, staged };
