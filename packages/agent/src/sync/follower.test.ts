import { expect, test } from '@jest/globals';
import { createFakeClock, ProblemError, type FakeClock } from '@sbox/core';
import { silentLogger } from '@sbox/daemon/log';
import type { BytesAnswer, Manifest } from '@sbox/protocol';
import { createFollower } from './follower.ts';
import { createReachability } from './reachability.ts';
import { createWaker } from './waker.ts';

const settings = { wait: 50_000, poll: 60_000, resync: 300_000, retry_base: 1000, retry_cap: 60_000 };

function follow(
  answer: (count: number, headers: Readonly<Record<string, string | undefined>>) => BytesAnswer,
  hasHints = false,
  take: () => Manifest = () => ({}) as Manifest,
) {
  const clock: FakeClock = createFakeClock();
  const stop = new AbortController();
  const reachability = createReachability(clock);
  const waker = createWaker(clock);
  const asked: { atMs: number; headers: Readonly<Record<string, string | undefined>> }[] = [];
  const follower = createFollower({
    client: {
      desired: async ({ headers = {} } = {}) => {
        asked.push({ atMs: clock.monotonic(), headers });
        return await Promise.resolve(answer(asked.length, headers));
      },
    },
    take: async () => await Promise.resolve(take()),
    onVerdict: () => {},
    reachability,
    waker,
    hasHints: () => hasHints,
    clock,
    random: () => 0.5,
    log: silentLogger,
    settings,
  });
  const running = follower.run(stop.signal);
  return {
    clock,
    asked,
    reachability,
    waker,
    follower,
    async stop() {
      stop.abort(new Error('done'));
      await running;
    },
  };
}
const fail = (code: ConstructorParameters<typeof ProblemError>[0], details?: Record<string, unknown>): never => {
  throw new ProblemError(code, 'no', details ? { details } : {});
};

test('scenario 3: waits grow while nobody answers, and start anew once somebody did', async () => {
  const run = follow((count) => (count === 5 ? { bytes: undefined, etag: '"a"' } : fail('manager.unreachable')));
  for (let turn = 0; turn < 6; turn += 1) {
    await run.clock.untilSleeping();
    await run.clock.advance(60_000);
  }
  const gaps = run.asked.map(({ atMs }, index) => atMs - (run.asked[index - 1]?.atMs ?? 0)).slice(1, 5);
  expect(gaps).toEqual([500, 1000, 2000, 4000]);
  await run.stop();
});

test('an answer that was not held is no reason to ask at once again', async () => {
  const run = follow(() => ({ bytes: undefined, etag: '"a"' }));
  await run.clock.untilSleeping();
  await run.clock.advance(47_999);
  // The first is never held, so that it shows at once whether the manager is there; the second was not, though it might.
  expect(run.asked.map(({ headers }) => 'prefer' in headers)).toEqual([false, true]);
  await run.clock.advance(60_000);
  expect(run.asked.length).toBeGreaterThan(2);
  await run.stop();
});

test('with hints questions are not held, and a hint ends the wait', async () => {
  const run = follow(() => ({ bytes: new Uint8Array(1), etag: '"a"' }), true);
  await run.clock.untilSleeping();
  expect(run.asked[0]?.headers).toEqual({});
  await run.clock.advance(200_000);
  expect(run.asked).toHaveLength(1);
  for (let times = 0; times < 100; times += 1) run.waker.wake();
  await run.clock.untilSleeping();
  await run.clock.advance(0);
  expect(run.asked).toHaveLength(2);
  expect(run.asked[1]?.headers).toEqual({ 'if-none-match': '"a"' });
  await run.stop();
});

test('a removed server asks once an hour', async () => {
  const run = follow(() => fail('auth.revoked'));
  await run.clock.untilSleeping();
  expect(run.reachability.reason).toContain('removed');
  await run.clock.advance(3_599_999);
  expect(run.asked).toHaveLength(1);
  await run.clock.advance(1);
  expect(run.asked).toHaveLength(2);
  await run.stop();
});

test('a manager that asks for patience gets it', async () => {
  const run = follow(() => fail('request.rate-limited', { retry_after_s: 100 }));
  await run.clock.untilSleeping();
  await run.clock.advance(100_000);
  expect(run.asked).toHaveLength(1);
  await run.clock.advance(1000);
  expect(run.asked).toHaveLength(2);
  await run.stop();
});

test('what was refused is asked for again soon, hints or not: it may have been spoiled on the way', async () => {
  const answer = { bytes: new Uint8Array([1]), etag: '"a"' };
  const run = follow(
    () => answer,
    true,
    () => fail('manifest.signature-invalid'),
  );
  await run.clock.untilSleeping();
  await run.clock.advance(72_000);
  expect(run.asked.length).toBeGreaterThan(1);
  await run.stop();
});

test('what was fetched and is not followed is fetched as a whole, what was refused only at its own pace', async () => {
  let isRefused = false;
  const take = (): Manifest => (isRefused ? fail('manifest.expired') : ({} as Manifest));
  const run = follow(() => ({ bytes: new Uint8Array(1), etag: '"a"' }), true, take);
  const known = (): unknown => run.asked.at(-1)?.headers['if-none-match'];
  await run.clock.untilSleeping();
  run.waker.wake();
  await run.clock.untilSleeping();
  expect(known()).toBe('"a"');
  run.follower.missed();
  await run.clock.untilSleeping();
  expect(known()).toBeUndefined();
  isRefused = true;
  for (let turn = 0; turn < 2; turn += 1) {
    run.waker.wake();
    await run.clock.untilSleeping();
  }
  run.follower.missed();
  await run.clock.untilSleeping();
  expect(known()).toBe('"a"');
  await run.stop();
});
