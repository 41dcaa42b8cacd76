import { compareGenerations } from '@sbox/core';
import type { JournalVersion } from '../../state/journal.ts';
import type { Candidate } from '../../state/journal-replay.ts';
import { goodOf, refsOf, type ApplyState, type BootFacts, type Time } from './apply-state.ts';
import { offerAgain } from './backlog.ts';
import { confirmAfterBoot } from './confirm.ts';
import type { Survey, Work } from './effect.ts';
import { isResultOf, resultOf } from './event.ts';
import type { Failure } from './failure.ts';
import { strikeThen } from './refuse-steps.ts';
import { go, log, lookAgainMs, rest, restoreWork, say, tell, tolerated, type Step } from './turn.ts';
import { makeRecord } from './version.ts';
import { watch } from './watched.ts';

/** So many boots of a version that is down and not committed, and it is not tried again. */
const maxBoots = 2;

const interrupted = { code: 'apply.rolled-back', message: 'the agent ended before the take-over' };
const neverStayed = {
  code: 'engine.crash-loop',
  message: 'it was down at two starts of the agent before it was committed',
} as const;
const wentDown = {
  code: 'apply.unconfirmed',
  message: 'the machine or its engine went down before anybody confirmed it',
} as const;

export const boot: Step = (state) => go(state, [{ do: 'recover' }], 'recovered', 'bootFailed');

/** A journal that was lost is begun anew with what the links say was good: an engine may still run it. */
const recovered: Step = (state, answer, time) => {
  const { found } = resultOf(answer, 'recover');
  if (found === null || state.lastRecord !== null) return adopt(state, answer, time);
  const lost = log(state, 'error', 'The journal is lost; what was good is taken from the slots', {
    units: found.units.map(({ name }) => name),
  });
  const record = makeRecord({ step: 'HEALTHY', version: found, now: time.now });
  return go(lost, [tolerated({ do: 'record', record })], 'adopt', 'bootFailed');
};

const openCandidate = ({ journal }: ApplyState): Candidate | undefined =>
  journal.candidates.findLast(({ isOpen }) => isOpen);

/** Engines that run are adopted. Before anything was committed, what served before the newest one is the best there is. */
const adopt: Step = (state) => {
  const candidate = openCandidate(state);
  const good = goodOf(state);
  const other = state.journal.candidates.findLast((each) => each !== candidate)?.version ?? null;
  const before = candidate === undefined ? good : (good ?? other);
  const facts: BootFacts = { good, before, candidate: candidate?.version ?? null, givenUp: null, judged: [] };
  const next = { ...state, boot: facts };
  const wanted = candidate?.version ?? good;
  if (wanted === null) return go(next, restoreWork(null), 'restored', 'bootFailed');
  const older = candidate === undefined ? null : before;
  return go(next, [{ do: 'adopt', wanted, older }], 'adopted', 'bootFailed');
};

const adopted: Step = (state, answer, time) => {
  const { isWhole, alive } = resultOf(answer, 'adopt');
  const candidate = openCandidate(state);
  const facts = factsOf(state);
  if (candidate === undefined) return go(state, restoreWork(facts.good), 'restored', 'bootFailed');
  if (!isWhole) return judgeCandidate(state, candidate, { isInnocent: alive.length > 0, time });
  const { version } = candidate;
  const stopOthers: Work = { do: 'stop-others', units: version.units.map(({ name }) => name) };
  return go(state, [stopOthers, { do: 'keep', slots: refsOf(version) }], 'watchedOn', 'bootFailed');
};

/** A version is only to blame when it is down; where the old one still runs, the agent ended before the take-over. */
function judgeCandidate(
  state: ApplyState,
  { version, boots, isServing, confirm }: Candidate,
  { isInnocent, time }: { readonly isInnocent: boolean; readonly time: Time },
): ApplyState {
  const { before, good } = factsOf(state);
  const isUnconfirmed = !isInnocent && isServing && confirm?.is_asked === true && good !== null;
  const isGivenUp = !isInnocent && !isUnconfirmed && boots + 1 >= maxBoots;
  const why = isInnocent ? interrupted : isUnconfirmed ? wentDown : isGivenUp ? neverStayed : undefined;
  const step = why === undefined ? 'BOOT' : 'ROLLEDBACK';
  const record: Work = { do: 'record', record: makeRecord({ step, version, now: time.now, why }) };
  const queue = [tolerated(record), ...restoreWork(before)];
  if (before !== null && before !== good) {
    const again = makeRecord({ step: 'SWITCHED', version: before, now: time.now });
    queue.push(tolerated({ do: 'record', record: again }), { do: 'keep', slots: refsOf(before) });
  }
  const isBad = (digest: string): boolean => good?.units.some((unit) => unit.digest === digest) !== true;
  const judged = isGivenUp ? version.units.map(({ digest }) => digest).filter(isBad) : [];
  const next = { ...state, boot: { ...factsOf(state), givenUp: isGivenUp ? version : null, judged } };
  return go(next, queue, 'restored', 'bootFailed');
}

const factsOf = ({ boot: facts }: ApplyState): BootFacts =>
  facts ?? { good: null, before: null, candidate: null, givenUp: null, judged: [] };

/** It served when the agent ended and serves still: the watch goes on, and so does what has to be confirmed. */
const watchedOn: Step = (state, answer, time) => {
  const candidate = openCandidate(state);
  if (candidate === undefined) return surveyBoot(state, answer, time);
  const confirm = candidate.confirm === null ? null : confirmAfterBoot(candidate.confirm, time);
  const watched = watch(candidate.version, resultOf(answer, 'keep'), { time, confirm });
  return surveyBoot({ ...state, watched }, answer, time);
};

const restored: Step = (state, answer, time) => {
  const { before } = factsOf(state);
  const isKept = before !== null && isResultOf(answer, 'keep');
  const watched = isKept ? watch(before, resultOf(answer, 'keep'), { time, confirm: null }) : null;
  return giveUp({ ...state, watched }, answer, time);
};

/** Each rendition of a version that never stayed up gets its strike. */
const giveUp: Step = (state, answer, time) => {
  const facts = factsOf(state);
  const [digest, ...judged] = facts.judged;
  if (facts.givenUp === null || digest === undefined) return surveyBoot(state, answer, time);
  const unit = facts.givenUp.units.find((each) => each.digest === digest)?.name ?? null;
  const failure: Failure = { stage: 'watch', ...neverStayed, unit, digest, isShared: false };
  return strikeThen({ ...state, boot: { ...facts, judged } }, failure, 'gaveUp');
};

const gaveUp: Step = (state, answer, time) => {
  const { givenUp } = factsOf(state);
  if (givenUp === null || state.refusing === null) return surveyBoot(state, answer, time);
  return giveUp(say({ ...state, isSticky: true }, givenUp, state.refusing, time), answer, time);
};

const surveyBoot: Step = (state) => go(state, [{ do: 'survey', order: null }], 'booted', 'bootFailed');

const booted: Step = (state, answer, { monotonic }) => {
  const survey = resultOf(answer, 'survey');
  const held = survey.hold === null ? null : { reason: survey.hold.reason, order: null };
  const isWhole = lostUnits(state, survey).length === 0;
  const careAt = monotonic + (isWhole ? state.settings.care_every_ms : lookAgainMs);
  const next = requeue({ ...state, held, careAt, engine: survey.engine, isBooted: true, boot: null }, survey);
  return rest(tell(next, { do: 'booted', problem: null }));
};

const bootFailed: Step = (state, answer) => {
  const failure = answer.type === 'failed' ? answer.failure : null;
  const problem = failure === null ? null : { code: failure.code, message: failure.message };
  return rest(tell({ ...state, boot: null }, { do: 'booted', problem }));
};

/** Of the last good version: a disk that could not be read for a moment must not leave nothing behind. */
export function lostUnits(state: ApplyState, survey: Survey): JournalVersion['units'] {
  const isThere = (name: string): boolean => survey.units.some((unit) => unit.name === name && unit.slot !== null);
  return state.watched === null ? (goodOf(state)?.units ?? []).filter(({ name }) => !isThere(name)) : [];
}

/** What was accepted but never committed is followed without waiting for the network. */
export function requeue(state: ApplyState, { units }: Survey): ApplyState {
  const { accepted, watched } = state;
  const top = watched?.version ?? goodOf(state);
  if (accepted === null || top?.source === 'local') return state;
  // Numbers alone say nothing after this server joined again: then the content is another one.
  const digests = new Map(top?.units.map(({ name, digest }) => [name, digest]));
  const isSame = accepted.manifest.units.every(({ name, config }) => digests.get(name) === config.digest);
  const isFollowed = top !== null && isSame && compareGenerations(accepted.manifest, top) <= 0;
  const isServed = top?.units.every(({ name, slot }) => units.find((unit) => unit.name === name)?.slot?.name === slot);
  // Started with the ports of this server's settings as they are now.
  const hasPorts = units.every(({ slot }) => slot?.hasPorts !== false);
  // What cannot be started any more, because its files are gone, is made anew.
  if (isFollowed && isServed === true && hasPorts) return state;
  return { ...state, backlog: offerAgain(state.backlog, { ...accepted, key: null }) };
}

export const bootSteps = { recovered, adopt, adopted, watchedOn, restored, giveUp, gaveUp, booted, bootFailed };
