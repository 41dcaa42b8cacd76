import { expect, test } from '@jest/globals';
import { isTurn } from './watched.ts';

test('in an outage that both versions share the old one is tried less and less often, but never for the last time', () => {
  const turns = Array.from({ length: 200 }, (_, index) => index + 1).filter((fails) => isTurn(fails, 3));
  expect(turns).toEqual([3, 6, 12, 24, 48, 96, 144, 192]);
});
