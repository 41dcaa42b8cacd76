import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { compareGenerations, printGeneration } from './generation.ts';

const generation = fc.record({ epoch: fc.nat(3), generation: fc.nat(3) });

test('the epoch decides before the generation', () => {
  expect(compareGenerations({ epoch: 2, generation: 1 }, { epoch: 1, generation: 9 })).toBeGreaterThan(0);
  expect(compareGenerations({ epoch: 1, generation: 1 }, { epoch: 1, generation: 2 })).toBeLessThan(0);
  expect(printGeneration({ epoch: 2, generation: 17 })).toBe('2.17');
});

test('it is a total order', () => {
  fc.assert(
    fc.property(generation, generation, generation, (a, b, c) => {
      // `+ 0` because the opposite of 0 is -0.
      expect(Math.sign(compareGenerations(a, b)) + 0).toBe(-Math.sign(compareGenerations(b, a)) + 0);
      expect(compareGenerations(a, b) === 0).toBe(printGeneration(a) === printGeneration(b));
      if (compareGenerations(a, b) <= 0 && compareGenerations(b, c) <= 0)
        expect(compareGenerations(a, c)).toBeLessThanOrEqual(0);
    }),
  );
});
