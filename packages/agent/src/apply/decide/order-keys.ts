import type { ApplyState } from './apply-state.ts';

/** Orders whose content may still be asked for; all others can be forgotten. */
export function orderKeys({ backlog, held, due, following }: ApplyState): ReadonlySet<string> {
  const { waiting, retry, refused } = backlog;
  const orders = [waiting, retry?.order, refused?.order, held?.order, due?.order, following?.order];
  return new Set(orders.flatMap((order) => order?.key ?? []));
}
