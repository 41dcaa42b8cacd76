import { bootSteps } from './boot-steps.ts';
import { careSteps } from './care-steps.ts';
import { followSteps } from './follow-steps.ts';
import { operatorSteps } from './operator-steps.ts';
import { refuseSteps } from './refuse-steps.ts';
import { takeOverSteps } from './take-over-steps.ts';
import type { StepName } from './step-name.ts';
import { pause, rest, type Step } from './turn.ts';
import { watchSteps } from './watch-steps.ts';

/** Every place where something is decided after work was answered. */
export const steps: Readonly<Record<StepName, Step>> = {
  ...bootSteps,
  ...followSteps,
  ...takeOverSteps,
  ...refuseSteps,
  ...watchSteps,
  ...operatorSteps,
  ...careSteps,
  pause,
  rest,
};
