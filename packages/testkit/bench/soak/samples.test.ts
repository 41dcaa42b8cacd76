import { expect, test } from '@jest/globals';
import { takeSample, trendOf } from './samples.ts';

const tenth = (first: number): number => first / 10;

test.each([
  ['the same all along', [50, 50, 50, 50, 50, 50], true],
  ['one that swings', [50, 60, 50, 60, 50, 60, 50, 60, 52], true],
  ['one that grows', [50, 51, 53, 55, 57, 59, 61, 63, 65], false],
  ['one that shrinks', [60, 58, 56, 54, 52, 50], true],
  ['a single peak', [50, 50, 50, 90, 50, 50, 50, 50, 50], true],
])('%s is flat: %j %s', (_, values, isFlat) => {
  expect(trendOf(values, tenth).is_flat).toBe(isFlat);
});

test('a sample is of processes that are there', () => {
  expect(takeSample(1, process.pid, [process.pid], 0)).toMatchObject({ engines: 1, agentFds: expect.any(Number) });
  expect(takeSample(1, process.pid, [2 ** 30], 0)).toBeUndefined();
});
