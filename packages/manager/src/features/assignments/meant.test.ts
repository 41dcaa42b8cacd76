import { expect, test } from '@jest/globals';
import { printSelector, type Requirement } from '@sbox/protocol';
import * as fc from 'fast-check';
import { createMeaning, findConflict, type Place, type Rule } from './meant.ts';

const labelNames = ['role', 'region', 'canary'];
const values = ['a', 'b'];
const environment = fc.constantFrom(null, 'prod', 'test');

const labels = fc.dictionary(fc.constantFrom(...labelNames), fc.constantFrom('', ...values));
const places: fc.Arbitrary<Place[]> = fc
  .array(fc.record({ labels, environment }), { maxLength: 8 })
  .map((found) => found.map((place, index) => ({ ...place, name: `s${index}` })));

const requirement: fc.Arbitrary<Requirement> = fc.oneof(
  fc.record({
    label: fc.constantFrom(...labelNames),
    operator: fc.constantFrom('in' as const, 'not-in' as const),
    values: fc.subarray(values, { minLength: 1 }),
  }),
  fc.record({
    label: fc.constantFrom(...labelNames),
    operator: fc.constantFrom('exists' as const, 'not-exists' as const),
    values: fc.constant([]),
  }),
);
const selector = fc.array(requirement, { maxLength: 3 });
const rules: fc.Arbitrary<(Rule & { readonly asked: readonly Requirement[] })[]> = fc
  .array(fc.record({ asked: selector, environment, unit: fc.constantFrom('main', 'side') }), { maxLength: 5 })
  .map((found) => found.map((rule, index) => ({ ...rule, name: `r${index}`, selector: printSelector(rule.asked) })));

/** Said in another way than the code says it. */
const isMeant = (rule: { asked: readonly Requirement[]; environment: string | null }, place: Place): boolean => {
  if (rule.environment !== null && rule.environment !== place.environment) return false;
  for (const { label, operator, values: wanted } of rule.asked) {
    const has = Object.keys(place.labels).includes(label);
    const fits = has && wanted.includes(place.labels[label] ?? '');
    if (operator === 'exists' && !has) return false;
    if (operator === 'not-exists' && has) return false;
    if (operator === 'in' && !fits) return false;
    if (operator === 'not-in' && fits) return false;
  }
  return true;
};

test('a rule means the servers of its environment that its selector meets', () => {
  fc.assert(
    fc.property(rules, places, (some, all) => {
      for (const rule of some) {
        const means = createMeaning(rule);
        for (const place of all) expect(means(place)).toBe(isMeant(rule, place));
      }
    }),
  );
});

test('a conflict is found exactly where two rules mean one unit of a server, and it names both and all such servers', () => {
  fc.assert(
    fc.property(rules, places, (some, all) => {
      const pairs = some.flatMap((one, index) =>
        some.slice(index + 1).flatMap((other) => {
          const met = all.filter((place) => isMeant(one, place) && isMeant(other, place));
          return one.unit === other.unit && met.length > 0
            ? [{ unit: one.unit, rules: [one.name, other.name], places: met.map(({ name }) => name) }]
            : [];
        }),
      );
      const found = findConflict(some, all);
      if (pairs.length === 0) expect(found).toBeUndefined();
      else expect(pairs).toContainEqual(found);
    }),
  );
});
