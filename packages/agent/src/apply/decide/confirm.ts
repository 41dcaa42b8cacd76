import { isoTime } from '@sbox/core';
import type { ConfirmTerms } from '../../state/journal.ts';
import { goodOf, type ApplyState, type Confirm, type Following, type Time, type Watched } from './apply-state.ts';
import type { Seen } from './effect.ts';

/** A manager that answers needs a moment to notice that it is reached no more. */
const staleMs = 10_000;
/** After a restart, so that the link to the manager can come up. */
const graceMs = 30_000;

/**
 * Which take-over has to be confirmed: one that somebody wants to confirm, and one that no trial could prove. Where there
 * is nothing to go back to, there is nothing to be confirmed.
 */
export function confirmTerms(
  state: ApplyState,
  { order, kept, staged }: Following,
  { now }: Time,
): ConfirmTerms | null {
  const good = goodOf(state);
  if (good === null || good.units.length === 0) return null;
  const asked = order.confirm_ms ?? order.manifest.confirm_ms ?? 0;
  const isUntried = staged.some(({ unit, isTried }) => !isTried && !kept.includes(unit.name));
  const least = Math.max(0, ...order.manifest.units.map(({ watch_ms }) => watch_ms));
  const wanted = asked > 0 ? asked : isUntried ? state.settings.confirm_ms : 0;
  if (wanted <= 0) return null;
  const window_ms = Math.max(wanted, least);
  return { until: isoTime(now + window_ms), window_ms, is_asked: asked > 0 };
}

export const beginConfirm = (terms: ConfirmTerms | null, { monotonic }: Time): Confirm | null =>
  terms && { ...terms, deadline: monotonic + terms.window_ms, wasReached: false };

/** The window goes on where it was; a clock that jumped neither ends nor lengthens it. */
export function confirmAfterBoot(terms: ConfirmTerms, { now, monotonic }: Time): Confirm {
  const left = Math.min(terms.window_ms, Math.max(Math.min(graceMs, terms.window_ms), Date.parse(terms.until) - now));
  return { ...terms, until: isoTime(now + left), deadline: monotonic + left, wasReached: false };
}

/** What one look says for or against it. */
export type ConfirmVerdict = 'held' | 'open' | 'lost';

/** Held only at the end of the window; a request that fails then speaks against it, whoever is to blame. */
export function judgeConfirm({ confirm }: Watched, seen: Seen, { monotonic }: Time): ConfirmVerdict {
  if (confirm === null) return 'held';
  if (monotonic < confirm.deadline) return 'open';
  const isReached = confirm.wasReached || seen.isManagerReachable === true;
  const isSpokenFor = isReached || (seen.isManagerReachable === null && !confirm.is_asked);
  return isSpokenFor && seen.failed === null ? 'held' : 'lost';
}

/** Remembers that the manager answered, once that cannot be an answer from before the take-over. */
export function withReached({ confirm, since }: Watched, seen: Seen, { monotonic }: Time): Confirm | null {
  if (confirm === null || seen.isManagerReachable !== true) return confirm;
  const isFresh = monotonic - since >= Math.min(staleMs, confirm.window_ms / 2);
  return isFresh ? { ...confirm, wasReached: true } : confirm;
}
