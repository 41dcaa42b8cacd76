import { describe, expect, test } from '@jest/globals';
import { type Boundaries, checkBoundaries } from './check-boundaries.ts';

const rules: Boundaries = {
  packages: { core: [], manager: ['core'], cli: ['core'], agent: ['core'] },
  lazy: { cli: ['manager/serve'] },
  testOnly: { agent: ['manager'] },
  browserSafe: ['core'],
};

const check = (files: Record<string, string>): string[] => checkBoundaries(new Map(Object.entries(files)), rules);

describe('arrows between packages', () => {
  test.each([
    ['an allowed package', 'packages/manager/src/a.ts', "import { ulid } from '@sbox/core';"],
    ['an outside library', 'packages/core/src/a.ts', "import { z } from 'zod';"],
    ['a lazy entry by import()', 'packages/cli/src/a.ts', "const serve = await import('@sbox/manager/serve');"],
    ['a package for tests, in a test', 'packages/agent/src/a.test.ts', "import { x } from '@sbox/manager';"],
    ['node: in a browser-safe test', 'packages/core/src/a.test.ts', "import fs from 'node:fs';"],
    ['prose that speaks of imports', 'packages/core/src/a.ts', "// Values come from '@sbox/manager' in the end"],
  ])('%s passes', (_name, file, source) => {
    expect(check({ [file]: source })).toEqual([]);
  });

  test.each([
    ['an upward import', 'packages/core/src/a.ts', "import { x } from '@sbox/manager';", 'must not import manager'],
    ['a type-only one', 'packages/core/src/a.ts', "import type { X } from '@sbox/agent';", 'must not import agent'],
    ['a re-export', 'packages/agent/src/a.ts', "export * from '@sbox/cli';", 'must not import cli'],
    ['a long import', 'packages/core/src/a.ts', "import {\n  x,\n  y,\n} from '@sbox/cli';", 'must not import cli'],
    ['a lazy entry, eagerly', 'packages/cli/src/a.ts', "import { s } from '@sbox/manager/serve';", 'import() only'],
    ['another entry, lazily', 'packages/cli/src/a.ts', "await import('@sbox/manager');", 'must not import manager'],
    ['a package for tests, in code', 'packages/agent/src/a.ts', "import '@sbox/manager';", 'must not import manager'],
    ['node: in a browser-safe package', 'packages/core/src/a.ts', "import fs from 'node:fs';", 'no node:fs'],
    ['a built-in without node:', 'packages/core/src/a.ts', "import fs from 'fs';", 'no fs'],
    ['a reach into another package', 'packages/agent/src/a.ts', "import '../../core/src/b.ts';", 'reaches into'],
    ['a package nobody listed', 'packages/extra/src/a.ts', '', 'no row in boundaries.json'],
  ])('%s is refused', (_name, file, source, reason) => {
    expect(check({ [file]: source })).toEqual([expect.stringContaining(reason)]);
  });
});

test('a cycle is shown as the way round it, types included', () => {
  const problems = check({
    'packages/core/src/a.ts': "import { b } from './b.ts';",
    'packages/core/src/b.ts': "import { c } from './c.ts';",
    'packages/core/src/c.ts': "import type { A } from './a.ts';",
    'packages/core/src/d.ts': "import { a } from './a.ts';",
  });
  expect(problems).toEqual([
    'cycle: packages/core/src/a.ts -> packages/core/src/b.ts -> packages/core/src/c.ts -> packages/core/src/a.ts',
  ]);
});
