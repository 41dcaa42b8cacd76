import type { JournalVersion } from '../../state/journal.ts';
import type { Confirm, Time, Watched } from './apply-state.ts';
import type { KeptUnits } from './effect.ts';

/** Begins the watch of a version that serves from now on. */
export const watch = (
  version: JournalVersion,
  { restarts, watchMs }: KeptUnits,
  { time: { monotonic }, confirm }: { readonly time: Time; readonly confirm: Confirm | null },
): Watched => ({
  version,
  since: monotonic,
  watchMs,
  restarts,
  runs: {},
  fails: 0,
  breaks: 0,
  lookAt: monotonic,
  confirm,
});

/** Of the breaks that a watch may have, against the failed looks in a row that end it. */
const breaksPerFail = 2;

/** Whether it is time to ask if the version before would do better: it fails on, or once more after it had recovered. */
export const isSuspect = ({ fails, breaks }: Watched, watchFails: number): boolean =>
  isTurn(fails, watchFails) || (fails === 1 && isTurn(breaks, breaksPerFail * watchFails));

/** Every trial costs an engine: in a long outage they come further and further apart, up to 16 times `watchFails`. */
export function isTurn(fails: number, watchFails: number): boolean {
  const turn = fails / watchFails;
  return turn % 16 === 0 ? turn > 0 : [1, 2, 4, 8].includes(turn);
}
