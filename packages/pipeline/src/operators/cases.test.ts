import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { readOperatorCases, runOperatorCase } from '../testing/operator-cases.ts';

const folder = path.join(import.meta.dirname, 'cases');

for (const file of readdirSync(folder).filter((name) => name.endsWith('.txt'))) {
  describe(file, () => {
    test.each(readOperatorCases(readFileSync(path.join(folder, file), 'utf8')))('$title', (golden) => {
      expect(runOperatorCase(golden)).toBe(golden.expected);
    });
  });
}
