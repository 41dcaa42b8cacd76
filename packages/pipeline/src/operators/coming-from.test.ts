import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { validatePipeline } from '../validate-pipeline.ts';

const page = readFileSync(path.join(import.meta.dirname, '../../../../docs/operators/coming-from.md'), 'utf8');
const snippets = [...page.matchAll(/`(\{"operator".*?\})`(?= \||$| \()/gm)].map(([, text = '']) =>
  text.replaceAll('\\|', '|'),
);

test('every operator on the page of other tools is accepted', () => {
  expect(snippets.length).toBeGreaterThan(45);
  expect(snippets).toHaveLength(page.split('{"operator"').length - 1);
  for (const snippet of snippets) expect(validatePipeline([JSON.parse(snippet)])).toHaveLength(1);
});
