import { expect, test } from '@jest/globals';
import { createFakeClock, ProblemError } from '@sbox/core';
import type { Transport, TransportAnswer } from '@sbox/protocol';
import { retryAfterMs, withRetries } from './retry.ts';

const answer = (status: number, headers: TransportAnswer['headers'] = {}): TransportAnswer => ({
  status,
  headers,
  body: new Uint8Array(),
});
const request = { method: 'GET', path: '/', headers: {}, body: undefined, signal: undefined };

/** A transport that gives one prepared answer after the other. */
const scripted = (answers: readonly (TransportAnswer | Error)[]): { transport: Transport; asked: () => number } => {
  let asked = 0;
  return {
    asked: () => asked,
    transport: async () => {
      const next = answers[asked];
      asked += 1;
      if (!next || next instanceof Error) throw next ?? new Error('asked too often');
      return await Promise.resolve(next);
    },
  };
};
const unreachable = new ProblemError('manager.unreachable', 'gone');
const retry = { random: () => 0.5, retries: 3, baseMs: 1000, capMs: 60_000 };

test('what is safe to repeat is tried again after a growing wait, or the one that was asked for', async () => {
  const clock = createFakeClock();
  const { transport, asked } = scripted([unreachable, answer(503, { 'retry-after': '30' }), answer(200)]);
  const done = withRetries(transport, { ...retry, clock })(request);
  await clock.untilSleeping();
  expect(asked()).toBe(1);
  await clock.advance(500);
  await clock.untilSleeping();
  expect(asked()).toBe(2);
  await clock.advance(30_999);
  expect(asked()).toBe(2);
  await clock.advance(1);
  expect((await done).status).toBe(200);
});

test('the last answer is handed on as it came', async () => {
  const clock = createFakeClock();
  const { transport, asked } = scripted([answer(503), answer(503), answer(503), answer(429)]);
  const done = withRetries(transport, { ...retry, clock })(request);
  await clock.untilSleeping();
  await clock.advance(60_000);
  expect((await done).status).toBe(429);
  expect(asked()).toBe(4);
});

test.each([
  ['a POST', { ...request, method: 'POST' }, unreachable],
  ['what was refused', request, new ProblemError('manager.untrusted', 'another one')],
])('%s is tried once', async (_, wanted, error) => {
  const { transport, asked } = scripted([error]);
  await expect(withRetries(transport, { ...retry, clock: createFakeClock() })(wanted)).rejects.toBe(error);
  expect(asked()).toBe(1);
});

test('a POST with an Idempotency-Key is tried again', async () => {
  const clock = createFakeClock();
  const { transport, asked } = scripted([unreachable, answer(201)]);
  const done = withRetries(transport, { ...retry, clock })({
    ...request,
    method: 'POST',
    headers: { 'idempotency-key': 'a' },
  });
  await clock.untilSleeping();
  await clock.advance(500);
  expect((await done).status).toBe(201);
  expect(asked()).toBe(2);
});

test('Retry-After is read as seconds or as a date', () => {
  const clock = createFakeClock(Date.UTC(2026, 0, 1));
  expect(retryAfterMs('7', clock)).toBe(7000);
  expect(retryAfterMs('Thu, 01 Jan 2026 00:00:09 GMT', clock)).toBe(9000);
  expect(retryAfterMs('Thu, 01 Jan 2015 00:00:09 GMT', clock)).toBe(0);
  expect(retryAfterMs('soon', clock)).toBe(0);
  expect(retryAfterMs(undefined, clock)).toBe(0);
});
