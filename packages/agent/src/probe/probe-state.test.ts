import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { countLook, findDown, freshCount, type ProbeCount } from './probe-state.ts';

const after = (looks: readonly (boolean | null)[], thresholds = {}): boolean | null => {
  let count: ProbeCount = freshCount;
  for (const ok of looks) count = countLook(count, ok, thresholds);
  return count.up;
};
const [y, n] = [true, false];

describe('a probe', () => {
  test.each([
    ['is up after the first good look', [y], true],
    ['is not known after one bad look', [n], null],
    ['is down after three bad looks in a row', [n, n, n], false],
    ['is not down when a good one comes between', [y, n, n, y, n, n], true],
    ['is up again after two good looks in a row', [n, n, n, y, n, y, y], true],
    ['is still down after one', [n, n, n, y, n, y], false],
    ['is not moved by looks that found nothing out', [n, n, null, null, n], false],
  ])('%s', (_, looks, up) => {
    expect(after(looks)).toBe(up);
  });

  test('has thresholds of its own', () => {
    expect(after([y, n], { fail: 1 })).toBe(false);
    expect(after([n, n, n, y], { pass: 1 })).toBe(true);
  });

  test('goes down only after `fail` bad looks in a row, and up only after `pass` good ones', () => {
    const looks = fc.array(fc.constantFrom(y, n), { maxLength: 60 });
    const limits = { fail: fc.integer({ min: 1, max: 5 }), pass: fc.integer({ min: 1, max: 5 }) };
    fc.assert(
      fc.property(looks, fc.record(limits), (series, thresholds) => {
        let count: ProbeCount = freshCount;
        for (const [index, ok] of series.entries()) {
          const before = count.up;
          count = countLook(count, ok, thresholds);
          if (count.up === before || before === null) continue;
          const needed = count.up === true ? thresholds.pass : thresholds.fail;
          expect(series.slice(index + 1 - needed, index + 1)).toEqual(Array(needed).fill(count.up));
        }
        const tail = series.slice(-5);
        if (tail.length === 5 && new Set(tail).size === 1) expect(count.up).toBe(tail[0]);
      }),
    );
  });
});

test('what is not known yet is not down', () => {
  const state = { detail: '', at: '' };
  const [a, b] = [
    { ...state, id: 'a', up: null },
    { ...state, id: 'b', up: false },
  ];
  expect(findDown([a, b])).toBe(b);
  expect(findDown([a])).toBeUndefined();
});
