import { expect, test } from '@jest/globals';
import { isInRange } from './version-range.ts';

test.each([
  ['1.14.4', '>=1.12 <1.15', true],
  ['1.12.0', '>=1.12 <1.15', true],
  ['1.15.0', '>=1.12 <1.15', false],
  ['1.11.15', '>=1.12 <1.15', false],
  ['1.14.0-rc.1', '>=1.14', true],
  ['1.14.4', '', true],
  ['1.14.4', '=1.14.4', true],
  ['1.14.4', '1.14.3', false],
  ['1.9', '>1.10', false],
  ['1.14.4', '<=1.14.4 >1.14.3', true],
  ['1.14.4', '^1.14', false],
])('%s in "%s": %s', (version, range, expected) => {
  expect(isInRange(version, range)).toBe(expected);
});
