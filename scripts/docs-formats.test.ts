import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parseSubscription, writeSubscription } from '../packages/formats/src/index.ts';
import { outcomeOf, sha256 } from '../packages/formats/src/testing/golden-cases.ts';
import { formatPages } from './docs-formats.ts';

const directory = path.join(import.meta.dirname, '../docs/formats');
const pages = readdirSync(directory).filter((name) => name.endsWith('.md'));
const examples =
  /```subscription\n(?<input>[^]*?)\n```\n\n```json\n(?<expected>[^]*?)\n```(?:\n\nWritten again:\n\n```written\n(?<written>[^]*?)\n```)?/g;

const writtenLinks = (input: string): string =>
  writeSubscription(parseSubscription(input, { sha256 }).nodes, 'links').text.trimEnd();

describe.each(pages.filter((name) => name !== 'README.md'))('%s', (name) => {
  const found = [...readFileSync(path.join(directory, name), 'utf8').matchAll(examples)];

  test('its examples give what stands below them', () => {
    for (const { groups = {} } of found) {
      const input = groups['input'] ?? '';
      const expected = (groups['expected'] ?? '').split('\n').map((line): unknown => JSON.parse(line));
      expect(JSON.parse(JSON.stringify(outcomeOf(input)))).toEqual(expected);
      if (groups['written'] !== undefined) expect(writtenLinks(input)).toBe(groups['written']);
    }
  });

  test('it has an example', () => {
    expect(found.length).toBeGreaterThan(0);
  });
});

test('the index names every page, and every page is made', () => {
  const index = readFileSync(path.join(directory, 'README.md'), 'utf8');
  for (const name of pages) if (name !== 'README.md') expect(index).toContain(`](${name})`);
  expect(Object.keys(formatPages()).toSorted()).toEqual(pages.toSorted());
});
