import type { Order } from '../../order.ts';

/** An order as data; whoever holds the door to its content finds it by the key. */
export interface OrderData extends Omit<Order, 'blobs'> {
  /** Null for one that this agent remembered itself: its content is here or nowhere. */
  readonly key: string | null;
}
