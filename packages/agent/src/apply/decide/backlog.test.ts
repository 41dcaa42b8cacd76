import { expect, test } from '@jest/globals';
import type { Order } from '../order.ts';
import { Backlog } from './backlog.ts';

const order = (generation: number, log = ''): Order & { readonly log: string } => ({
  source: 'manager',
  log,
  manifest: {
    schema: 1,
    server_id: 'srv',
    epoch: 1,
    generation,
    issued_at: '2026-01-01T00:00:00Z',
    not_after: null,
    min_agent: '0',
    settings: { heartbeat_ms: 1, poll_ms: 1, reconnect_window_ms: 1 },
    rollback_of: null,
    on_return: 'enforce',
    units: [],
  },
  blobs: { fetch: async () => await Promise.resolve(new Uint8Array()) },
});
const retry = (of: Order, code: 'disk.full' | 'blob.fetch-failed') => ({ order: of, attempt: 2, at: 100, code });

test('the newest order replaces those that wait', () => {
  const backlog = new Backlog();
  expect(backlog.take(0)).toBeUndefined();
  backlog.retryLater(retry(order(1), 'disk.full'));
  backlog.offer(order(2));
  const newest = order(3);
  expect(backlog.offer(newest)).toBe(true);
  backlog.offerAgain(order(1));
  expect(backlog.take(0)).toEqual({ order: newest, attempt: 1 });
  expect(backlog.take(1000)).toBeUndefined();
});

test('a refused order waits for its time, also when it is offered again, and then comes from the newer source', () => {
  const backlog = new Backlog();
  backlog.retryLater(retry(order(1), 'disk.full'));
  expect(backlog.retryAt).toBe(100);
  const again = order(1, 'again');
  expect(backlog.offer(again)).toBe(false);
  expect(backlog.take(99)).toBeUndefined();
  expect(backlog.take(100)).toEqual({ order: again, attempt: 3 });
  expect(backlog.retryAt).toBe(Infinity);
});

test('content that was missing is asked for at once when somebody offers it', () => {
  const backlog = new Backlog();
  backlog.retryLater(retry(order(1), 'blob.fetch-failed'));
  expect(backlog.offer(order(1, 'again'))).toBe(true);
  expect(backlog.take(0)?.attempt).toBe(1);
});

test('what was refused for good comes back only with another engine', () => {
  const backlog = new Backlog();
  const refused = order(1);
  backlog.refuse(refused, 'sing-box 1.13.0');
  expect(backlog.offer(order(1))).toBe(false);
  backlog.onEngine('sing-box 1.13.0');
  expect(backlog.take(0)).toBeUndefined();
  backlog.onEngine('sing-box 1.14.4');
  expect(backlog.take(0)).toEqual({ order: refused, attempt: 1 });
  backlog.refuse(refused, 'sing-box 1.14.4');
  backlog.forgive();
  expect(backlog.offer(order(1))).toBe(true);
});

test('an older generation does not push a newer one aside, a file of this machine does', () => {
  const backlog = new Backlog();
  const newer = order(3);
  backlog.offer(newer);
  expect(backlog.offer(order(2))).toBe(false);
  expect(backlog.take(0)?.order).toBe(newer);
  backlog.offer(newer);
  const local: Order = { ...order(0), source: 'local' };
  expect(backlog.offer(local)).toBe(true);
  expect(backlog.offer(order(2))).toBe(true);
});

test('a retry that is off does not come, what waits does', () => {
  const backlog = new Backlog();
  backlog.retryLater(retry(order(1), 'disk.full'));
  backlog.dropRetry();
  expect(backlog.take(1000)).toBeUndefined();
  backlog.offer(order(2));
  backlog.dropRetry();
  expect(backlog.take(0)?.attempt).toBe(1);
});
