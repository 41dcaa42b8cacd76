import { ProblemError } from '@sbox/core';
import { expect, test } from '@jest/globals';
import { operatorDocs, operatorSchema } from '@sbox/protocol/pipeline';
import { regexLimits } from './regex.ts';
import { validatePipeline } from './validate-pipeline.ts';

function problemOf(input: unknown): ProblemError {
  try {
    validatePipeline(input);
  } catch (error) {
    if (error instanceof ProblemError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

test('what is good comes back as it was', () => {
  const pipeline = [{ operator: 'filter', keep: { country: 'DE' } }];
  expect(validatePipeline(pipeline)).toEqual(pipeline);
});

test.each([
  [
    'no list',
    { operator: 'filter' },
    'a pipeline is a list of operators: invalid input: expected array, received object',
  ],
  ['no operator', [{}], 'operator 1: operator: invalid'],
  ['an unknown operator', [{ operator: 'shuffle' }], 'operator 1 (shuffle): operator: invalid'],
  ['nothing at all', [null], 'operator 1: '],
  [
    'a wrong field of the second',
    [
      { operator: 'limit', count: 1 },
      { operator: 'filter', keep: { port: 70_000 } },
    ],
    'operator 2 (filter): keep.port: ',
  ],
  ['a pattern too long', [{ operator: 'rename', delete: 'a'.repeat(1001) }], 'operator 1 (rename): delete: '],
  ['a country that is a name', [{ operator: 'filter', keep: { country: 'Germany' } }], 'must be a country code'],
])('%s is refused with the place', (_, input, message) => {
  const problem = problemOf(input);
  expect(problem.code).toBe('pipeline.invalid');
  expect(problem.message).toContain(message);
});

test('the place is in the details for programs', () => {
  expect(
    problemOf([
      { operator: 'limit', count: 1 },
      { operator: 'filter', keep: { name: '(' } },
    ]).details,
  ).toEqual({
    index: 1,
    operator: 'filter',
  });
});

test.each([
  ['a repetition that grows', '((a{1,100}){1,10}b{1,100}){1,1}c{1,1000}d{1,1000}e{1,1000}f{1,1000}g{1,1000}'],
  ['a back reference', '(a)\\1'],
  ['a look-behind', '(?<=a)b'],
  ['an open bracket', '[a'],
])('%s is refused', (_, pattern) => {
  expect(problemOf([{ operator: 'filter', keep: { name: pattern } }]).message).toContain('the regular expression');
});

test('so many expressions are refused', () => {
  const rules = Array.from({ length: 200 }, (_, n) => ({ pattern: `a${n}`, with: 'b' }));
  const operators = Array.from({ length: 3 }, () => ({ operator: 'rename', replace: rules }));
  expect(problemOf(operators).message).toContain(`more than ${regexLimits.maxPatterns} regular expressions`);
});

test('case is ignored behind (?i), in Russian too', () => {
  expect(validatePipeline([{ operator: 'filter', keep: { name: '(?i)ПРЕМИУМ' } }])).toHaveLength(1);
});

test('the examples of the docs are accepted', () => {
  for (const { examples } of Object.values(operatorDocs)) {
    expect(examples.length).toBeGreaterThan(0);
    for (const example of examples) {
      expect(operatorSchema.parse(example)).toEqual(example);
      expect(validatePipeline([example])).toEqual([example]);
    }
  }
});
