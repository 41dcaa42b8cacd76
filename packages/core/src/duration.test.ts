import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { parseDuration, printDuration } from './duration.ts';

test.each([
  ['0', 0],
  ['500ms', 500],
  ['30s', 30_000],
  ['1.5h', 5_400_000],
  ['1h30m', 5_400_000],
  ['7d', 604_800_000],
  ['1w1ms', 604_800_001],
])('%s is %d ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each(['', '1', '-1s', '1 s', 's', '1.s', '.5s', '1h30', '1S', '1y', '9'.repeat(400) + 'd', '36501d', '1s\n'])(
  '%j is no duration',
  (text) => {
    expect(parseDuration(text)).toBeUndefined();
  },
);

test.each([
  [0, '0ms'],
  [61.4, '61ms'],
  [999.9, '1s'],
  [1500, '1.5s'],
  [9960, '10s'],
  [59_400, '59s'],
  [59_999, '1m'],
  [252_000, '4m12s'],
  [3_599_700, '1h'],
  [183_600_000, '2d3h'],
  [86_400_000 * 400, '400d'],
])('%d ms is written %s', (ms, text) => {
  expect(printDuration(ms)).toBe(text);
});

test('what is written can be read, and is near', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 10 ** 11 }), (ms) => {
      const read = parseDuration(printDuration(ms)) ?? Number.NaN;
      expect(Math.abs(read - ms)).toBeLessThanOrEqual(ms * 0.05);
    }),
  );
});
