import { expect, jest, test } from '@jest/globals';
import { describeSeed, runSeed } from './run-seed.ts';

jest.setTimeout(900_000);

const seeds = 2000;

test('the same seed lives the same life', async () => {
  for (const seed of [7, 4711]) {
    const [first, second] = [await runSeed(seed, true), await runSeed(seed, true)];
    expect(first.trace.length).toBeGreaterThan(100);
    expect(second).toEqual(first);
  }
});

test(`${seeds} servers with every kind of fault keep every promise`, async () => {
  let steps = 0;
  for (let seed = 1; seed <= seeds; seed += 1) {
    const result = await runSeed(seed);
    steps += result.steps;
    if (result.violations.length > 0) throw new Error(describeSeed(await runSeed(seed, true)));
  }
  expect(steps).toBeGreaterThan(seeds * 30);
});
