import { expect, test } from '@jest/globals';
import { coverageRows } from './check-coverage.ts';

const lines = (total: number, covered: number): { lines: { total: number; covered: number } } => ({
  lines: { total, covered },
});

test('files are added up by package and all together', () => {
  const summary = {
    total: lines(999, 999),
    '/x/packages/core/src/a.ts': lines(100, 100),
    '/x/packages/core/src/b.ts': lines(100, 60),
    '/x/packages/agent/src/a.ts': lines(100, 69),
  };
  const rows = coverageRows(summary, ['agent', 'core']);
  expect(rows.map(({ name, percent, isEnough }) => [name, Math.round(percent), isEnough])).toEqual([
    ['agent', 69, false],
    ['core', 80, true],
    ['all', 76, false],
  ]);
});

test('a package without a row is too little', () => {
  const rows = coverageRows({ '/x/packages/core/src/a.ts': lines(100, 100) }, ['core', 'web']);
  expect(rows.find(({ name }) => name === 'web')?.isEnough).toBe(false);
});
