import { spawn } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { makeTestDirectory } from '../../test/test-directory.ts';
import { checkConfig } from './check-config.ts';

const directory = makeTestDirectory('check');

test.each([
  ['exit 0', undefined],
  ['echo "FATAL[0000] decode config: unknown field" >&2; exit 1', 'engine.check-failed'],
  // As the kernel does it when memory runs out: that is not the fault of the bytes.
  ['kill -KILL $$', 'command.failed'],
])('a check that does "%s"', async (script, code) => {
  const program = path.join(directory, 'engine');
  writeFileSync(program, `#!/bin/sh\n${script}\n`);
  chmodSync(program, 0o755);
  const engine = { kind: 'sing-box', path: program, version: '1.14.4', tags: [] } as const;
  const found = await checkConfig(spawn, engine, '/nowhere.json', new AbortController().signal).catch(
    (error: unknown) => (error as { code: string }).code,
  );
  expect(found).toBe(code);
});
