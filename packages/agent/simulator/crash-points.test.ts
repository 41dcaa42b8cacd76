import { expect, jest, test } from '@jest/globals';
import { countCrashPoints, crashVariants, describeCrash, runCrashPoint } from './crash-points.ts';

jest.setTimeout(900_000);

// The fourth, where all of it is kept, lies between these; the benchmark has it too.
test.each(crashVariants.filter((variant) => variant !== 'kept'))(
  'from every step of the disk a server comes back: %s',
  async (variant) => {
    const points = await countCrashPoints();
    expect(points).toBeGreaterThan(300);
    for (let point = 1; point <= points; point += 1) {
      const { violations } = await runCrashPoint({ variant, point });
      if (violations.length > 0) throw new Error(describeCrash(await runCrashPoint({ variant, point }, true)));
    }
  },
);
