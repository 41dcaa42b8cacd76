import { expect, test } from '@jest/globals';
import { plainManifest } from '../../../test/plain-manifest.ts';
import type { OrderData } from './order-data.ts';
import { noBacklog, offer, offerAgain, onEngine, take, type Backlog } from './backlog.ts';

const order = (generation: number, key = ''): OrderData => ({
  source: 'manager',
  key,
  manifest: plainManifest({ server_id: 'srv', generation, units: [] }),
});
const waiting = (of: OrderData): Backlog => ({ ...noBacklog, waiting: of });
const retrying = (of: OrderData, code: 'disk.full' | 'blob.fetch-failed' = 'disk.full'): Backlog => ({
  ...noBacklog,
  retry: { order: of, attempt: 2, at: 100, code },
});
const refused = (of: OrderData, code: 'config.invalid' | 'apply.unconfirmed' = 'config.invalid'): Backlog => ({
  ...noBacklog,
  refused: { order: of, engine: 'sing-box 1.13.0', code },
});

test('the newest order replaces those that wait', () => {
  expect(take(noBacklog, 0).due).toBeNull();
  const { backlog } = offer(retrying(order(1)), order(2));
  const newest = order(3);
  const next = offer(backlog, newest);
  expect(next.isNews).toBe(true);
  const taken = take(offerAgain(next.backlog, order(1)), 0);
  expect(taken.due).toEqual({ order: newest, attempt: 1 });
  expect(take(taken.backlog, 1000).due).toBeNull();
});

test('a refused order waits for its time, also when it is offered again, and then comes from the newer source', () => {
  const again = order(1, 'again');
  const { backlog, isNews } = offer(retrying(order(1)), again);
  expect(isNews).toBe(false);
  expect(take(backlog, 99).due).toBeNull();
  expect(take(backlog, 100).due).toEqual({ order: again, attempt: 3 });
});

test('content that was missing is asked for at once when somebody offers it', () => {
  const { backlog, isNews } = offer(retrying(order(1), 'blob.fetch-failed'), order(1, 'again'));
  expect(isNews).toBe(true);
  expect(take(backlog, 0).due?.attempt).toBe(1);
});

test('what was refused for good comes back only with another engine', () => {
  const backlog = refused(order(1));
  expect(offer(backlog, order(1)).isNews).toBe(false);
  expect(take(onEngine(backlog, 'sing-box 1.13.0'), 0).due).toBeNull();
  const other = onEngine(backlog, 'sing-box 1.14.4');
  expect(take(other, 0).due).toEqual({ order: order(1), attempt: 1 });
  expect(other.refused).toBeNull();
});

test('what nobody confirmed waits for a newer generation, and as a file of this machine for being given again', () => {
  expect(onEngine(refused(order(1), 'apply.unconfirmed'), 'sing-box 1.14.4').waiting).toBeNull();
  expect(offer(refused(order(1), 'apply.unconfirmed'), order(1)).isNews).toBe(false);
  expect(offer(refused(order(1), 'apply.unconfirmed'), order(2)).isNews).toBe(true);
  const local: OrderData = { ...order(0), source: 'local' };
  expect(offer(refused(local, 'apply.unconfirmed'), local).isNews).toBe(true);
  expect(offer(refused(local), local).isNews).toBe(false);
});

test('an older generation does not push a newer one aside, a file of this machine does', () => {
  const newer = waiting(order(3));
  expect(offer(newer, order(2))).toEqual({ backlog: newer, isNews: false });
  const local: OrderData = { ...order(0), source: 'local' };
  const given = offer(newer, local);
  expect(given.isNews).toBe(true);
  expect(offer(given.backlog, order(2)).isNews).toBe(true);
});
