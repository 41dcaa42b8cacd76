import { expect, test } from '@jest/globals';
import { isOlderVersion } from './version-order.ts';

test.each([
  ['0.1.0', '0.1.0', false],
  ['0.1.0', '0.2.0', true],
  ['0.10.0', '0.9.9', false],
  ['1.0', '1.0.1', true],
  ['v2.0.0-beta', '1.9', false],
])('%s is older than %s: %s', (version, least, expected) => {
  expect(isOlderVersion(version, least)).toBe(expected);
});
