import { expect, test } from '@jest/globals';
import { createTagWatch } from './tag-watch.ts';

const allDiffer = (tags: Iterable<string>): boolean => {
  const watch = createTagWatch();
  for (const tag of tags) watch.add(tag);
  return watch.allDiffer();
};

const many = Array.from({ length: 20_000 }, (_, n) => `🇳🇱 Node ${n}`);

test('many names that differ, and one of them twice', () => {
  expect(allDiffer(many)).toBe(true);
  expect(allDiffer([...many, many[7] ?? ''])).toBe(false);
});

test('a name that engines need for themselves counts as taken', () => expect(allDiffer(['A', 'Direct'])).toBe(false));
