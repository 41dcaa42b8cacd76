import { expect, test } from '@jest/globals';
import { createNodeFinder } from './choices.ts';

const node = (tag: string, node_id: string, subscription = 'main') => ({ tag, node_id, subscription });
const before = [node('Berlin', 'a'), node('Paris', 'b'), node('Oslo', 'c'), node('Rome', 'd', 'other')];
const after = [
  node('Paris', 'a'),
  node('Berlin 2', 'b'),
  // Another server under a name that was there, once in the same subscription and once in another.
  node('Oslo', 'x'),
  node('Rome', 'y'),
];

test.each([
  ['follows the node, although another one has its name now', 'Berlin', 'Paris'],
  ['follows the node to a name that is new', 'Paris', 'Berlin 2'],
  ['follows the name in the same subscription when the node is gone', 'Oslo', 'Oslo'],
  ['does not follow the name into another subscription', 'Rome', undefined],
  ['keeps what is no node, such as a group', 'auto', 'auto'],
])('a choice %s', (_, chosen, wanted) => {
  expect(createNodeFinder(before, after)(chosen)).toBe(wanted);
});
