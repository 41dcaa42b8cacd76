import type { JournalStep, JournalUnit, JournalVersion } from '../../state/journal.ts';
import { isSameContent } from '../../state/journal-replay.ts';
import { orderUnits } from '../../supervisor/unit-order.ts';
import { goodOf, refsOf, type ApplyState, type Following, type Time } from './apply-state.ts';
import { beginConfirm, confirmTerms } from './confirm.ts';
import type { KeptUnits, Work } from './effect.ts';
import { isResultOf, resultOf, type Answer } from './event.ts';
import type { Failure } from './failure.ts';
import { refuseSteps } from './refuse-steps.ts';
import { generationFields, go, log, rest, restoreWork, tolerated, type Step } from './turn.ts';
import { makeRecord, versionOfUnits } from './version.ts';
import { watch } from './watched.ts';

/** Everything is ready; past SWITCHED a crash leaves something to decide, and the journal says so. */
export function takeOver(state: ApplyState, following: Following, time: Time): ApplyState {
  const confirm = confirmTerms(state, following, time);
  const facts = { ...following, confirm };
  const record = (step: JournalStep): Work => ({
    do: 'record',
    record: makeRecord({
      step,
      version: versionOf(facts),
      now: time.now,
      confirm: step === 'SWITCHED' ? confirm : null,
    }),
    stage: 'apply',
  });
  const slots = changedOf(facts);
  const kept = refsOf(versionOf(facts)).filter(({ unit }) => facts.kept.includes(unit));
  const ports: Work = { do: 'check-ports', slots, kept, stage: 'apply' };
  const queue = [record('STAGED'), ports, record('SWITCHED')];
  return go({ ...state, following: facts }, queue, 'switched', 'refuse');
}

const versionOf = ({ order, staged }: Following): JournalVersion =>
  versionOfUnits(
    order,
    staged.map(({ unit }) => unit),
  );

const changedOf = (following: Following): ReturnType<typeof refsOf> =>
  refsOf(versionOf(following)).filter(({ unit }) => !following.kept.includes(unit));

const switched: Step = (state) => {
  const { following } = state;
  if (following === null) return rest(state);
  const queue: Work[] = [
    ...stopOrder(following).map((unit): Work => ({ do: 'stop', unit })),
    ...changedOf(following).map((ref): Work => ({ do: 'switch', ...ref })),
  ];
  return go(state, inApply(queue), 'tookOver', 'switchFailed');
};

const inApply = (queue: readonly Work[]): Work[] => queue.map((work) => ({ ...work, stage: 'apply' }));

const tookOver: Step = (state) => {
  const { following } = state;
  if (following === null) return rest(state);
  const queue = refsOf(versionOf(following)).map((ref): Work => ({ do: 'verify', ...ref }));
  return go(state, inApply(queue), 'serving', 'verifyFailed');
};

/** A unit ends before those that it depends on. */
function stopOrder({ removed, survey }: Following): string[] {
  const running = survey.units.flatMap(({ slot }) => (slot === null ? [] : [slot.unit]));
  try {
    return orderUnits(running)
      .map(({ name }) => name)
      .filter((name) => removed.includes(name))
      .toReversed();
  } catch {
    return [...removed];
  }
}

/** The verdict goes out even when it cannot be written down: the engine runs it, and a restarted agent finds that out. */
const serving: Step = (state, _answer, time) => {
  const { following } = state;
  if (following === null) return rest(state);
  const version = versionOf(following);
  const record = makeRecord({ step: 'SERVING', version, now: time.now, confirm: following.confirm });
  const queue: Work[] = [
    { do: 'record', record },
    { do: 'keep', slots: refsOf(version) },
  ];
  return go(state, queue.map(tolerated), 'kept', 'kept');
};

const kept: Step = (state, answer, time) => {
  const { following } = state;
  if (following === null) return rest(state);
  const version = versionOf(following);
  const confirm = beginConfirm(following.confirm, time);
  const watched = watch(version, keptOf(answer, following), { time, confirm });
  const next = log(state, 'info', 'A version serves', generationFields(version));
  return rest({ ...next, watched, following: null, backlog: { ...state.backlog, refused: null } });
};

const keptOf = (answer: Answer, { order }: Following): KeptUnits =>
  isResultOf(answer, 'keep')
    ? resultOf(answer, 'keep')
    : { restarts: {}, watchMs: Math.max(0, ...order.manifest.units.map(({ watch_ms }) => watch_ms)) };

/** Where the engine kept what it had, and nothing else was touched, nothing has to be brought back. */
const switchFailed: Step = (state, answer, time) => {
  const { following } = state;
  if (following === null || answer.type !== 'failed') return rest(state);
  const next = { ...state, refusing: answer.failure };
  const untouched = untouchedSlot(following, answer.failure);
  if (untouched === null) return goBack(next, answer, time);
  return go(next, [tolerated({ do: 'keep', slots: [untouched] })], 'refuse', 'refuse');
};

/** When nothing on this machine reaches anything, the new version is not to blame; it serves on, and is watched. */
const verifyFailed: Step = (state, answer, time) => {
  if (state.following === null || answer.type !== 'failed') return rest(state);
  const { failure } = answer;
  const next = { ...state, refusing: failure };
  if (failure.code !== 'apply.probe-failed' || failure.unit === null) return goBack(next, answer, time);
  return go(next, [{ do: 'ask-uplink', unit: failure.unit }], 'uplinkAsked', 'goBack');
};

const uplinkAsked: Step = (state, answer, time) => {
  const { following } = state;
  if (following === null || !resultOf(answer, 'ask-uplink').isDown) return goBack(state, answer, time);
  const { fallback } = following;
  // Where targets are blocked without a proxy, a line that is good looks dead: what worked before tells.
  if (fallback === null) return serving({ ...state, refusing: null }, answer, time);
  const serves = refsOf(versionOf(following));
  return go(state, [{ do: 'compare', version: fallback, serving: serves }], 'fallbackCompared', 'goBack');
};

const fallbackCompared: Step = (state, answer, time) =>
  resultOf(answer, 'compare').isBetter
    ? goBack(state, answer, time)
    : serving({ ...state, refusing: null }, answer, time);

/** Ends in the refusal, whatever happens on the way. */
const goBack: Step = (state, _answer, time) => {
  const { following, refusing } = state;
  if (following === null || refusing === null) return rest(state);
  const { fallback } = following;
  const queue: Work[] = restoreWork(fallback, 'reverse');
  const record = makeRecord({ step: 'ROLLEDBACK', version: versionOf(following), now: time.now, why: refusing });
  queue.push({ do: 'record', record });
  // What was not committed either must still be known as what runs.
  const isCommitted = state.journal.committed.some(
    ({ version }) => fallback !== null && isSameContent(version, fallback),
  );
  if (fallback !== null && !isCommitted) {
    const again = makeRecord({ step: 'SWITCHED', version: fallback, now: time.now });
    queue.push({ do: 'record', record: again }, { do: 'keep', slots: refsOf(fallback) });
  }
  const watched = isWatched(state, fallback) ? state.watched : null;
  return go({ ...state, watched }, queue.map(tolerated), 'wentBack', 'wentBack');
};

/** What was not committed before is watched from the beginning: it was started anew. */
const wentBack: Step = (state, answer, time) => {
  const { watched, following } = state;
  if (watched === null || following === null) return refuseSteps.refuse(state, answer, time);
  const again = watch(watched.version, keptOf(answer, following), { time, confirm: null });
  return refuseSteps.refuse({ ...state, watched: again }, answer, time);
};

/** What was watched is gone when the last good version was brought back instead. */
const isWatched = (state: ApplyState, fallback: JournalVersion | null): boolean =>
  fallback !== null &&
  state.watched !== null &&
  goodOf(state) === null &&
  isSameContent(state.watched.version, fallback);

/** With these the old engine serves on; a candidate beside it is gone. */
const untouching: ReadonlySet<string> = new Set(['apply.refused', 'apply.probe-failed']);

function untouchedSlot(following: Following, { code }: Failure): { unit: string; slot: string } | null {
  const [first, ...others] = changedOf(following);
  if (!untouching.has(code) || first === undefined || others.length > 0 || following.removed.length > 0) return null;
  const before = following.survey.units.find(({ name }) => name === first.unit)?.slot;
  return before ? { unit: first.unit, slot: before.name } : null;
}

/** The slot as it serves now: laid out anew where it could not take over as it was planned. */
export const withSwitched = (following: Following, unit: JournalUnit): Following => ({
  ...following,
  staged: following.staged.map((one) => (one.unit.name === unit.name ? { ...one, unit } : one)),
});

export const takeOverSteps = {
  switched,
  tookOver,
  serving,
  kept,
  switchFailed,
  verifyFailed,
  uplinkAsked,
  fallbackCompared,
  goBack,
  wentBack,
};
