import { expect, test } from '@jest/globals';
import { ProblemError } from '@sbox/core';
import * as fc from 'fast-check';
import { parseScope, printScope, scopeSchema } from './setting-scope.ts';

test.each([
  ['global', 'global'],
  ['environment:prod', 'environment:prod'],
  ['service:sing-box', 'service:sing-box'],
  ['labels:role=edge', 'labels:role=edge'],
  ['labels: region in (us, eu) , role==edge', 'labels:region in (eu,us),role=edge'],
  ['server:nl-1.example', 'server:nl-1.example'],
  ['user:phone', 'user:phone'],
])('%s', (text, printed) => {
  expect(printScope(parseScope(text))).toBe(printed);
  expect(scopeSchema.safeParse(text).success).toBe(true);
});

test.each([
  '',
  'globals',
  'environment:',
  'server:a b',
  'labels:',
  'labels:=',
  'labels:,',
  'config:main',
  '__proto__:x',
])('%j is none', (text) => {
  expect(() => parseScope(text)).toThrow(ProblemError);
  expect(scopeSchema.safeParse(text).success).toBe(false);
});

test('a condition that is written twice is one', () => {
  expect(parseScope('labels:a=b, a in (b) ,a==b')).toEqual(parseScope('labels:a=b'));
});

test('whatever the text, it is a scope that prints as itself again, or refused', () => {
  const parts = fc.constantFrom(
    'global',
    'labels:',
    'server:',
    'user:',
    'a',
    '=',
    '!',
    ' in ',
    '(',
    ')',
    ',',
    'b',
    ':',
  );
  fc.assert(
    fc.property(fc.array(parts, { maxLength: 9 }), (words) => {
      let printed: string;
      try {
        printed = printScope(parseScope(words.join('')));
      } catch (error) {
        return error instanceof ProblemError && error.code === 'request.invalid';
      }
      return printScope(parseScope(printed)) === printed;
    }),
    { numRuns: 2000 },
  );
});
