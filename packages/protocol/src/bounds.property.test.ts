import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import * as z from 'zod/mini';
import {
  areWithin,
  boundsSchema,
  holdTo,
  isWithin,
  narrow,
  readBounds,
  showBounds,
  type HeldBounds,
} from './bounds.ts';
import type { Labels, Requirement } from './selector.ts';

const word = fc.constantFrom('a', 'b', 'c');
const label = fc.constantFrom('x', 'y');
const labels: fc.Arbitrary<Labels> = fc.dictionary(label, word);
const requirement: fc.Arbitrary<Requirement> = fc.oneof(
  fc.record({
    label,
    operator: fc.constantFrom('in' as const, 'not-in' as const),
    values: fc.uniqueArray(word, { minLength: 1 }),
  }),
  fc.record({ label, operator: fc.constantFrom('exists' as const, 'not-exists' as const), values: fc.constant([]) }),
);
const held: fc.Arbitrary<HeldBounds | undefined> = fc.option(
  fc.record(
    {
      projects: fc.uniqueArray(word).map((names) => new Set(names)),
      servers: fc.array(requirement, { minLength: 1, maxLength: 4 }),
    },
    { requiredKeys: [] },
  ),
  { nil: undefined },
);
const extent = fc.record({ projects: fc.array(word, { maxLength: 2 }), servers: fc.array(labels, { maxLength: 2 }) });

test('what lies in bounds that are within others lies in those', () => {
  let narrower = 0;
  fc.assert(
    fc.property(held, held, fc.array(extent, { minLength: 1, maxLength: 20 }), (inner, outer, things) => {
      if (!areWithin(inner, outer)) return;
      narrower += 1;
      for (const thing of things) if (isWithin(inner, thing)) expect(isWithin(outer, thing)).toBe(true);
    }),
    { numRuns: 5000 },
  );
  expect(narrower).toBeGreaterThan(500);
});

test('every condition follows from itself, and bounds are within themselves', () => {
  fc.assert(fc.property(held, (bounds) => areWithin(bounds, bounds)));
});

test('narrowed bounds hold exactly what both hold, and are within each', () => {
  fc.assert(
    fc.property(held, held, extent, (a, b, thing) => {
      const both = narrow(a, b);
      expect(isWithin(both, thing)).toBe(isWithin(a, thing) && isWithin(b, thing));
      expect([areWithin(both, a), areWithin(both, b)]).toEqual([true, true]);
    }),
    { numRuns: 2000 },
  );
});

test('bounds that are stored and read again hold the same; an empty meeting of projects holds nothing', () => {
  fc.assert(
    fc.property(held, extent, (bounds, thing) => {
      const shown = bounds && showBounds(bounds);
      if (!shown || !z.safeParse(boundsSchema, shown).success) return;
      expect(isWithin(readBounds(JSON.stringify(shown)), thing)).toBe(isWithin(bounds, thing));
    }),
    { numRuns: 2000 },
  );
  const none = narrow(holdTo({ projects: ['a'] }), holdTo({ projects: ['b'] }));
  const stored = JSON.stringify(none && showBounds(none));
  for (const read of [none, readBounds(stored)]) expect(isWithin(read, { projects: ['a'] })).toBe(false);
});

test.each([
  '',
  'null',
  '{}',
  '[]',
  '{"projects":[]}',
  '{"servers":""}',
  '{"servers":"((("}',
  '{"projects":["a"],"more":1}',
])('stored text that is no bounds (%j) holds to nothing', (stored) => {
  const read = readBounds(stored);
  expect(isWithin(read, { projects: ['a'] })).toBe(false);
  expect(isWithin(read, { servers: [{}] })).toBe(false);
  expect(isWithin(read, { servers: [{ '': '' }] })).toBe(false);
});

test('nothing at all is within', () => {
  expect(areWithin(undefined, undefined)).toBe(true);
  expect(areWithin(undefined, { projects: new Set(['a']) })).toBe(false);
  expect(areWithin({ servers: [] }, { projects: new Set(['a']) })).toBe(false);
});
