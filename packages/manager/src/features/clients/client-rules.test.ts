import { describe, expect, test } from '@jest/globals';
import type { ClientRule } from '@sbox/protocol';
import * as fc from 'fast-check';
import { checkRules, decide, defaultRules } from './client-rules.ts';

type Condition = ClientRule['conditions'][number];

const rule = (name: string, change: Partial<ClientRule> = {}): ClientRule => ({
  name,
  enabled: true,
  match: 'all',
  conditions: [],
  answer: 'clash',
  headers: {},
  ...change,
});
const when = (operator: Condition['operator'], value = '', header = 'a', case_sensitive = false): Condition => ({
  header,
  operator,
  value,
  case_sensitive,
});
const ask = (rules: readonly ClientRule[], headers: Record<string, string> = {}) =>
  decide([{ of: 'all', rules }], { headers }, 'base64').rule;

describe('a condition', () => {
  test.each<[Condition['operator'], string, string, boolean]>([
    ['equals', 'One', 'one', true],
    ['equals', 'one', 'ones', false],
    ['not-equals', 'one', 'two', true],
    ['contains', 'NE', 'one', true],
    ['not-contains', 'ne', 'one', false],
    ['starts-with', 'on', 'One', true],
    ['not-starts-with', 'on', 'two', true],
    ['ends-with', 'E', 'one', true],
    ['not-ends-with', 'e', 'one', false],
    ['matches', '^o.e$', 'ONE', true],
    ['not-matches', '^o', 'two', true],
    ['exists', '', 'x', true],
    ['not-exists', '', 'x', false],
  ])('%s %j of %j', (operator, value, text, holds) => {
    expect(ask([rule('r', { conditions: [when(operator, value)] })], { a: text })).toBe(holds ? 'r' : '(default)');
  });

  test('takes a header that is not there for an empty one', () => {
    expect(ask([rule('r', { conditions: [when('not-exists')] })])).toBe('r');
    expect(ask([rule('r', { conditions: [when('equals')] })])).toBe('r');
  });

  test('minds the case when it is told to', () => {
    expect(ask([rule('r', { conditions: [when('equals', 'One', 'a', true)] })], { a: 'one' })).toBe('(default)');
    expect(ask([rule('r', { conditions: [when('matches', 'O', 'a', true)] })], { a: 'one' })).toBe('(default)');
  });
});

test('of several conditions all have to hold, or any', () => {
  const conditions = [when('exists'), when('exists', '', 'b')];
  for (const [headers, all, some] of [
    [{ a: '1', b: '1' }, 'r', 'r'],
    [{ a: '1' }, '(default)', 'r'],
    [{}, '(default)', '(default)'],
  ] as const) {
    expect(ask([rule('r', { conditions })], headers)).toBe(all);
    expect(ask([rule('r', { conditions, match: 'any' })], headers)).toBe(some);
  }
});

test('rules that are switched off are passed over, and named', () => {
  const decision = decide(
    [{ of: 'client', rules: [rule('off', { enabled: false }), rule('on')] }],
    { headers: {} },
    'links',
  );
  expect(decision).toMatchObject({ rule: 'on', answer: 'clash' });
  expect(decision.steps).toEqual([
    { rule: 'off', of: 'client', matched: false, reason: 'it is switched off' },
    { rule: 'on', of: 'client', matched: true, reason: 'it has no conditions' },
  ]);
});

test('whatever is asked, at most the last rule that was asked matches, and it decides', () => {
  const condition = fc.record({
    header: fc.constantFrom('a', 'b'),
    operator: fc.constantFrom<Condition['operator']>('equals', 'not-contains', 'exists', 'matches', 'starts-with'),
    value: fc.constantFrom('', 'x', 'y', 'xy'),
    case_sensitive: fc.boolean(),
  });
  const rules = fc.array(
    fc.record({
      enabled: fc.boolean(),
      match: fc.constantFrom('all' as const, 'any' as const),
      conditions: fc.array(condition, { maxLength: 3 }),
    }),
    { maxLength: 6 },
  );
  const headers = fc.dictionary(fc.constantFrom('a', 'b'), fc.constantFrom('', 'x', 'X', 'xy', 'z'));
  fc.assert(
    fc.property(rules, headers, (parts, given) => {
      const named = parts.map((part, index) => rule(`r${index}`, part));
      const { rule: decided, steps } = decide([{ of: 'all', rules: named }], { headers: given }, 'base64');
      const matched = steps.filter((step) => step.matched);
      expect(matched.map((step) => step.rule)).toEqual(decided === '(default)' ? [] : [decided]);
      if (decided === '(default)') expect(steps).toHaveLength(named.length);
      else expect(steps.at(-1)?.rule).toBe(decided);
    }),
  );
});

test('what sbox brings along can be set as it is; an expression that cannot be compiled is named', () => {
  expect(() => checkRules(defaultRules)).not.toThrow();
  expect(() => checkRules([rule('r', { conditions: [when('exists'), when('not-matches', '(')] })])).toThrow(
    'rules.0.conditions.1.value',
  );
});
