import { expect, test } from '@jest/globals';
import { checkDependencies } from './check-dependencies.ts';

const packageFiles = [
  { dependencies: { '@sbox/core': 'workspace:*', hono: '1' } },
  { devDependencies: { jest: '30' } },
];

test('each outside dependency needs a line, ours do not', () => {
  expect(checkDependencies(packageFiles, '| `hono` | routes |\n| `jest` | tests |')).toEqual([]);
  expect(checkDependencies(packageFiles, '| `hono` | routes |\n| `jest` | |')).toEqual([
    'jest: no line in docs/dependencies.md',
  ]);
});

test('a line about what is gone is a problem too', () => {
  expect(checkDependencies([], '| `left-pad` | pads |')).toEqual([
    'left-pad: in docs/dependencies.md, but nothing uses it',
  ]);
});
