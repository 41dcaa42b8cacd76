import { expect, test } from '@jest/globals';
import { integerSchema } from './schema.ts';

const read = (input: unknown): unknown => integerSchema(0, 100).safeParse(input).data;

test.each([
  ['0', 0],
  ['42', 42],
  [42, 42],
])('%j is a whole number', (input, expected) => {
  expect(read(input)).toBe(expected);
});

test.each(['', ' ', '1e1', '0x10', '1.0', '+1', ' 1', '-1', '101', true, null, [], 1.5])('%j is refused', (input) => {
  expect(read(input)).toBeUndefined();
});
