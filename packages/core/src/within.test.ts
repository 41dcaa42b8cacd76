import { expect, test } from '@jest/globals';
import { createFakeClock } from './fake-clock.ts';
import { within } from './within.ts';

const untilAborted = async (signal: AbortSignal): Promise<never> =>
  await new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });

test('a task that ends in time gives its result and leaves no timer', async () => {
  const clock = createFakeClock();
  const outer = new AbortController();
  await expect(within({ clock, ms: 10, signal: outer.signal }, async () => 'done')).resolves.toBe('done');
  expect(clock.sleeping).toBe(0);
});

test('a task that takes longer is aborted, and told why', async () => {
  const clock = createFakeClock();
  const running = within({ clock, ms: 10 }, untilAborted);
  const ended = expect(running).rejects.toThrow('it took longer than 10 ms');
  await clock.advance(10);
  await ended;
});

test('the outer signal ends it with its own reason', async () => {
  const clock = createFakeClock();
  const outer = new AbortController();
  const running = within({ clock, ms: 10, signal: outer.signal }, untilAborted);
  outer.abort(new Error('enough'));
  await expect(running).rejects.toThrow('enough');
  expect(clock.sleeping).toBe(0);
});

test('nothing is begun under a signal that is aborted already', async () => {
  const begun: string[] = [];
  const limit = { clock: createFakeClock(), ms: 10, signal: AbortSignal.abort(new Error('over')) };
  await expect(within(limit, async () => begun.push('it'))).rejects.toThrow('over');
  expect(begun).toEqual([]);
});
