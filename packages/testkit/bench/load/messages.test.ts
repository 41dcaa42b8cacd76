import { expect, test } from '@jest/globals';
import { longestGap } from './messages.ts';

const answered = (dueMs: number, tookMs: number) => ({ dueMs, answeredMs: dueMs + tookMs });
const lost = (dueMs: number) => ({ dueMs, answeredMs: undefined });

test.each([
  ['nothing at all', [], 0],
  ['answers only: the slowest', [answered(0, 3), answered(10, 40), answered(20, 2)], 40],
  ['lost ones: from the first until the next answer', [answered(0, 1), lost(10), lost(20), answered(30, 5)], 25],
  ['two gaps are not one', [lost(0), answered(10, 1), lost(20), answered(30, 2)], 12],
  ['never answered again', [answered(0, 1), lost(10), lost(20), lost(30)], 20],
])('the longest gap of %s', (_, outcomes, gap) => {
  expect(longestGap(outcomes)).toBe(gap);
});
