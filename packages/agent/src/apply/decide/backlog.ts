import { compareGenerations, type ProblemCode } from '@sbox/core';
import type { OrderData } from './order-data.ts';
import { isOtherServer, isSameOrder } from './version.ts';

/** An order whose time has come, and how often it was tried with this time. */
export interface Due {
  readonly order: OrderData;
  readonly attempt: number;
}

export interface Retry extends Due {
  /** Monotonic milliseconds. */
  readonly at: number;
  readonly code: ProblemCode;
}

/** Which order comes next: the newest that was offered, else the refused one whose wait is over. */
export interface Backlog {
  readonly waiting: OrderData | null;
  readonly retry: Retry | null;
  readonly refused: {
    readonly order: OrderData;
    /** Which engine refused it. */
    readonly engine: string | null;
    readonly code: ProblemCode;
  } | null;
}

export const noBacklog: Backlog = { waiting: null, retry: null, refused: null };

/** `isNews`: there is something to do at once; offering again what is refused or waits changes nothing. */
export function offer(backlog: Backlog, order: OrderData): { readonly backlog: Backlog; readonly isNews: boolean } {
  const { waiting, retry, refused } = backlog;
  // A file of this machine that nobody confirmed may be given once more: somebody has to do that by hand.
  const isGivenAgain = refused?.code === 'apply.unconfirmed' && order.source === 'local';
  if (refused !== null && !isGivenAgain && isSameOrder(refused.order, order)) return { backlog, isNews: false };
  if (retry !== null && isSameOrder(retry.order, order) && !retry.code.startsWith('blob.')) {
    // Only where the content comes from may have changed.
    return { backlog: { ...backlog, retry: { ...retry, order } }, isNews: false };
  }
  // It was newer than what is followed when it was sent, and something newer still has come since.
  if (waiting !== null && isOlder(order, waiting)) return { backlog, isNews: false };
  return { backlog: { ...backlog, waiting: order }, isNews: true };
}

/** For an order that somebody offered before: it does not push a newer one aside. */
export const offerAgain = (backlog: Backlog, order: OrderData): Backlog => ({
  ...backlog,
  waiting: backlog.waiting ?? order,
});

/** Takes what is due out; a new order ends the wait of the one before. */
export function take(backlog: Backlog, monotonic: number): { readonly backlog: Backlog; readonly due: Due | null } {
  const { waiting, retry } = backlog;
  const rest = { ...backlog, waiting: null, retry: null };
  if (waiting !== null) return { backlog: rest, due: { order: waiting, attempt: 1 } };
  if (retry === null || retry.at > monotonic) return { backlog, due: null };
  return { backlog: rest, due: { order: retry.order, attempt: retry.attempt + 1 } };
}

/** Another engine may take what the one before refused; what nobody confirmed was not the engine's fault. */
export function onEngine(backlog: Backlog, engine: string): Backlog {
  const { refused } = backlog;
  if (refused === null || refused.engine === engine || refused.code === 'apply.unconfirmed') return backlog;
  return offerAgain({ ...backlog, refused: null }, refused.order);
}

/** A file of this machine has no generation: whatever came last counts. */
export const isOlder = (order: OrderData, than: OrderData): boolean =>
  order.source !== 'local' &&
  than.source !== 'local' &&
  !isOtherServer(order.manifest, than.manifest) &&
  compareGenerations(order.manifest, than.manifest) < 0;
