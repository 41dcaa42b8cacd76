import { compareGenerations, type ProblemCode } from '@sbox/core';
import type { Order } from '../order.ts';
import { isSameVersion } from '../state/journal-replay.ts';
import { versionOfOrder } from './versions.ts';

/** An order whose time has come, and how often it was tried with this time. */
export interface Due {
  readonly order: Order;
  readonly attempt: number;
}

export interface Retry extends Due {
  /** Monotonic milliseconds. */
  readonly at: number;
  readonly code: ProblemCode;
}

/** Which order comes next: the newest that was offered, else the refused one whose wait is over. No I/O, no clock. */
export class Backlog {
  #waiting: Order | undefined;
  #retry: Retry | undefined;
  #refused: { readonly order: Order; readonly engine: string | undefined } | undefined;

  /** When the waiting retry is due, or never. */
  get retryAt(): number {
    return this.#retry?.at ?? Infinity;
  }

  /** True when there is something to do at once; offering again what is refused or waits changes nothing. */
  offer(order: Order): boolean {
    if (this.#refused !== undefined && isSameOrder(this.#refused.order, order)) return false;
    const retry = this.#retry;
    if (retry !== undefined && isSameOrder(retry.order, order) && !retry.code.startsWith('blob.')) {
      // Only where the content comes from may have changed.
      this.#retry = { ...retry, order };
      return false;
    }
    // It was newer than what is followed when it was sent, and something newer still has come since.
    if (this.#waiting !== undefined && isOlder(order, this.#waiting)) return false;
    this.#waiting = order;
    return true;
  }

  /** For an order that somebody offered before: it does not push a newer one aside. */
  offerAgain(order: Order): void {
    this.#waiting ??= order;
  }

  /** Takes what is due out; a new order ends the wait of the one before. */
  take(now: number): Due | undefined {
    const [waiting, retry] = [this.#waiting, this.#retry];
    if (waiting === undefined && (retry === undefined || retry.at > now)) return undefined;
    [this.#waiting, this.#retry] = [undefined, undefined];
    if (waiting !== undefined) return { order: waiting, attempt: 1 };
    return retry && { order: retry.order, attempt: retry.attempt + 1 };
  }

  retryLater(retry: Retry): void {
    this.#retry = retry;
  }

  /** Never again with this engine, and the bytes that it has. */
  refuse(order: Order, engine: string | undefined): void {
    this.#refused = { order, engine };
  }

  /** Another engine may take what the one before refused. */
  onEngine(engine: string): void {
    if (this.#refused === undefined || this.#refused.engine === engine) return;
    this.#waiting ??= this.#refused.order;
    this.#refused = undefined;
  }

  /** What was tried before is not tried again by itself; an order that waits still comes. */
  dropRetry(): void {
    this.#retry = undefined;
  }

  /** What is followed now makes what was refused before a matter of the past. */
  forgive(): void {
    this.#refused = undefined;
  }
}

/** A file of this machine has no generation: whatever came last counts. */
const isOlder = (order: Order, than: Order): boolean =>
  order.source !== 'local' && than.source !== 'local' && compareGenerations(order.manifest, than.manifest) < 0;

export const isSameOrder = (a: Order, b: Order): boolean =>
  isSameVersion(versionOfOrder(a), versionOfOrder(b)) && JSON.stringify(a.manifest) === JSON.stringify(b.manifest);
