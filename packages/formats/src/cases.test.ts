import { describe, expect, test } from '@jest/globals';
import { goldenFiles, outcomeOf } from './testing/golden-cases.ts';

for (const { name, cases } of goldenFiles) {
  describe(name, () => {
    test.each(cases)('$title', ({ input, expected }) => {
      expect(JSON.parse(JSON.stringify(outcomeOf(input)))).toEqual(expected);
    });
  });
}
