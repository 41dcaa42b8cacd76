import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import * as z from 'zod/mini';
import {
  labelsSchema,
  matchesSelector,
  parseSelector,
  printSelector,
  selectorSchema,
  type Requirement,
} from './selector.ts';

const edge = { role: 'edge', region: 'eu', gpu: '' };

describe('selectors', () => {
  test.each([
    ['', true],
    ['role=edge', true],
    ['role==edge', true],
    ['role=core', false],
    ['role!=core', true],
    ['site!=ams', true],
    ['region in (eu, us)', true],
    ['region in (us)', false],
    ['region notin (us,asia)', true],
    ['gpu', true],
    ['!gpu', false],
    ['!site', true],
    ['gpu=', true],
    [' role = edge , region in (eu,us) , !site ', true],
    ['role=edge,region=us', false],
  ])('%j: %s', (text, expected) => {
    expect(matchesSelector(parseSelector(text), edge)).toBe(expected);
  });

  test.each(['=', 'role in eu', 'role in (eu', 'a=b,,c=d', 'Role=edge', 'role=a b', '!', 'a!b', ',', 'a=b,'])(
    '%j is refused',
    (text) => expect(z.safeParse(selectorSchema, text).success).toBe(false),
  );

  test('a name that every object has is no label', () => {
    expect(matchesSelector(parseSelector('constructor'), {})).toBe(false);
    expect(z.safeParse(labelsSchema, { Role: 'x' }).success).toBe(false);
    expect(z.safeParse(labelsSchema, { 'sbox.dev/role': 'x', empty: '' }).success).toBe(true);
  });

  const word = fc.stringMatching(/^[a-z0-9]{1,8}$/);
  const requirement: fc.Arbitrary<Requirement> = fc.oneof(
    fc.record({
      label: word,
      operator: fc.constantFrom('in' as const, 'not-in' as const),
      values: fc.uniqueArray(word, { minLength: 1, maxLength: 3 }),
    }),
    fc.record({
      label: word,
      operator: fc.constantFrom('exists' as const, 'not-exists' as const),
      values: fc.constant([]),
    }),
  );

  test('what is printed reads as the same selector', () => {
    fc.assert(
      fc.property(fc.array(requirement, { maxLength: 5 }), fc.dictionary(word, word), (selector, labels) => {
        const printed = printSelector(selector);
        expect(printSelector(parseSelector(printed))).toBe(printed);
        expect(matchesSelector(parseSelector(printed), labels)).toBe(matchesSelector(selector, labels));
      }),
    );
  });

  test('any text is read or refused', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '=', '!', ',', '(', ')', ' ', 'i', 'n') }), (text) => {
        expect(typeof z.safeParse(selectorSchema, text).success).toBe('boolean');
      }),
    );
  });
});
