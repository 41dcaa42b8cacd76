import type { ListenPort } from '@sbox/engines/sing-box/run';
import { laneOf, servedBy, type LiveSlot } from '../state/slots.ts';
import { maxDraining } from './plan.ts';
import type { Way } from './mover.ts';

type Placed = Pick<LiveSlot, 'serves' | 'shift' | 'report'>;

/** It listens on other ports than those that programs use. */
export const isShifted = ({ shift }: Pick<LiveSlot, 'shift'>): boolean => Object.keys(shift ?? {}).length > 0;

/** How new connections come to this slot's engine, while the others drain. */
export function wayTo(slot: Placed, others: readonly Placed[]): Way {
  const { shift = {} } = slot;
  const served = servedBy(slot);
  const redirects = served.flatMap(({ network, listen, listen_port: from, tag }) => {
    const to = Object.hasOwn(shift, tag) ? shift[tag] : undefined;
    return to === undefined || to === from ? [] : [{ network, listen, from, to }];
  });
  return { served, redirects, isTracked: others.some(isShifted) || served.some(({ network }) => network === 'udp') };
}

/** The first lane that none of these is in: one serves, some drain, one more is about to end. */
export function freeLane(taken: readonly Pick<LiveSlot, 'lane'>[]): number {
  const lanes = new Set(taken.map(laneOf));
  return Array.from({ length: maxDraining + 3 }, (_, lane) => lane).find((lane) => !lanes.has(lane)) ?? 0;
}

/** Ports of inbounds, which can be elsewhere: what else listens is of no interest to those who connect. */
export const inboundTags = (ports: readonly ListenPort[]): string[] => [
  ...new Set(ports.flatMap(({ path, tag }) => (path.startsWith('inbounds[') ? [tag] : []))),
];

/** Whether two lists name the same port. */
export function meet(a: readonly ListenPort[], b: readonly ListenPort[]): boolean {
  const keys = new Set(a.map(({ network, listen_port }) => `${network} ${listen_port}`));
  return b.some(({ network, listen_port }) => keys.has(`${network} ${listen_port}`));
}
