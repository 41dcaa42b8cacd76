import { expect, test } from '@jest/globals';
import { retryDefaults, retryDelayMs } from './retry-schedule.ts';

const minute = 60_000;

test('waits 1, 5, 15, 60, 60 minutes, and 20 % more or less', () => {
  expect([1, 2, 3, 4, 5].map((attempt) => retryDelayMs(attempt, 0.5, retryDefaults) / minute)).toEqual([
    1, 5, 15, 60, 60,
  ]);
  expect([0, 1].map((random) => retryDelayMs(1, random, retryDefaults) / minute)).toEqual([0.8, 1.2]);
});
