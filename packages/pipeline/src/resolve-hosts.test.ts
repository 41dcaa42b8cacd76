import { createFakeClock } from '@sbox/core';
import { expect, test } from '@jest/globals';
import { resolveHosts } from './resolve-hosts.ts';

const options = { concurrency: 2, timeoutMs: 1000 };

test('so many at a time, failures have no entry', async () => {
  let running = 0;
  let most = 0;
  const lookup = async (host: string): Promise<readonly string[]> => {
    running += 1;
    most = Math.max(most, running);
    await Promise.resolve();
    running -= 1;
    if (host === 'bad') throw new Error('no such host');
    return host === 'empty' ? [] : [`192.0.2.${host}`];
  };
  const found = await resolveHosts(['1', '2', 'bad', '3', 'empty', '1'], lookup, {
    ...options,
    clock: createFakeClock(),
  });
  expect([...found]).toEqual([
    ['1', ['192.0.2.1']],
    ['2', ['192.0.2.2']],
    ['3', ['192.0.2.3']],
  ]);
  expect(most).toBe(2);
});

test('the result is in the order of the hosts, and addresses are in one order', async () => {
  const first = Promise.withResolvers<readonly string[]>();
  const lookup = async (host: string): Promise<readonly string[]> => {
    if (host === 'a') return await first.promise;
    first.resolve(['192.0.2.9', '192.0.2.10', '192.0.2.9']);
    return ['192.0.2.2', '192.0.2.1'];
  };
  const found = await resolveHosts(['a', 'b'], lookup, { ...options, clock: createFakeClock() });
  expect([...found]).toEqual([
    ['a', ['192.0.2.10', '192.0.2.9']],
    ['b', ['192.0.2.1', '192.0.2.2']],
  ]);
});

test('a host that takes too long is given up, and its signal aborts', async () => {
  const clock = createFakeClock();
  const asked = Promise.withResolvers<AbortSignal>();
  const done = resolveHosts(
    ['slow'],
    async (_, signal) => {
      asked.resolve(signal);
      return await new Promise<never>(() => undefined);
    },
    { ...options, clock },
  );
  const signal = await asked.promise;
  await clock.advance(1000);
  expect((await done).size).toBe(0);
  expect(signal.aborted).toBe(true);
});

test('the whole ends with its signal', async () => {
  const stop = new AbortController();
  const done = resolveHosts(
    ['a', 'b', 'c'],
    async () => {
      stop.abort(new Error('enough'));
      return await new Promise<never>(() => undefined);
    },
    { ...options, clock: createFakeClock(), signal: stop.signal },
  );
  await expect(done).rejects.toThrow('enough');
});
