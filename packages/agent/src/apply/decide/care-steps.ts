import { goodOf, type ApplyState, type Time } from './apply-state.ts';
import { offerAgain, onEngine } from './backlog.ts';
import { lostUnits, requeue } from './boot-steps.ts';
import type { Survey } from './effect.ts';
import { resultOf } from './event.ts';
import { go, rest, restoreWork, tolerated, type Step } from './turn.ts';

/** Now and then: engines that hang, logs that grow, a hold that was put or lifted, an engine that was upgraded. */
export const care = (state: ApplyState, { monotonic }: Time): ApplyState => {
  const careAt = monotonic + state.settings.care_every_ms;
  return go({ ...state, careAt }, [tolerated({ do: 'care' }), { do: 'survey', order: null }], 'cared', 'pause');
};

const cared: Step = (state, answer) => {
  const survey = resultOf(answer, 'survey');
  const held = withHold(state, survey);
  const { engine } = survey;
  const next = engine === null ? held : { ...held, engine, backlog: onEngine(held.backlog, engine) };
  const good = goodOf(state);
  const units = lostUnits(state, survey);
  if (good === null || units.length === 0) return rest(next);
  // Its engine may run all the same.
  const adopt = tolerated({ do: 'adopt', wanted: { ...good, units }, older: null });
  return go(next, [adopt, ...restoreWork(good)], 'rest', 'rest');
};

function withHold(state: ApplyState, survey: Survey): ApplyState {
  const { held, backlog } = state;
  const { hold } = survey;
  if ((held?.reason ?? null) === (hold?.reason ?? null)) return state;
  const order = held?.order ?? null;
  if (hold !== null) return { ...state, held: { reason: hold.reason, order } };
  const free = { ...state, held: null };
  return order === null ? requeue(free, survey) : { ...free, backlog: offerAgain(backlog, order) };
}

export const careSteps = { cared };
