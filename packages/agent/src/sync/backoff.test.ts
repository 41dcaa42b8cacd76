import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createBackoff } from './backoff.ts';

test('a wait is at least what was asked for and at most the doubled base, up to the cap, on top of it', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.integer({ min: 1, max: 600_000 }),
      fc.array(
        fc.record({
          random: fc.double({ min: 0, max: 0.999_999, noNaN: true }),
          asked: fc.integer({ min: -5, max: 10_000_000 }),
        }),
        { maxLength: 60 },
      ),
      (baseMs, capMs, steps) => {
        let random = 0;
        const backoff = createBackoff({ baseMs, capMs, random: () => random });
        steps.forEach((step, failures) => {
          ({ random } = step);
          const least = Math.min(Math.max(step.asked, 0), 3_600_000);
          const waited = backoff.next(step.asked);
          expect(waited).toBeGreaterThanOrEqual(least);
          expect(waited).toBeLessThanOrEqual(least + Math.min(capMs, baseMs * 2 ** failures));
        });
        backoff.reset();
        random = 0.5;
        expect(backoff.next()).toBe(Math.min(capMs, baseMs) / 2);
      },
    ),
  );
});
