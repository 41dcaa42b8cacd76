import { expect, jest, test } from '@jest/globals';
import { countCrashPoints, crashVariants, describeCrash, runCrashPoint } from './crash-points.ts';

jest.setTimeout(900_000);

// Each step has one way to stop, in turn; all ways at each step take four times as long.
const isWhole = process.env['SBOX_TEST_ALL'] === '1';

test('from every step of the disk a server comes back', async () => {
  const points = await countCrashPoints();
  expect(points).toBeGreaterThan(300);
  for (let point = 1; point <= points; point += 1) {
    const inTurn = crashVariants.slice(point % crashVariants.length).slice(0, 1);
    for (const variant of isWhole ? crashVariants : inTurn) {
      const { violations } = await runCrashPoint({ variant, point });
      if (violations.length > 0) throw new Error(describeCrash(await runCrashPoint({ variant, point }, true)));
    }
  }
});
