import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';

const root = path.join(import.meta.dirname, '..');

test('each of the thirty faults of docs/reliability.md has a test that carries its number', () => {
  const files = globSync('packages/*/{src,test}/**/*.test.ts', { cwd: root });
  const texts = files.map((file) => readFileSync(path.join(root, file), 'utf8'));
  const numbers = texts.flatMap((text) =>
    [...text.matchAll(/['"`(]scenario (\d+)\b/g)].map(([, number]) => Number(number)),
  );
  const found = [...new Set(numbers)].toSorted((a, b) => a - b);
  expect(found).toEqual(Array.from({ length: 30 }, (_, index) => index + 1));
});
