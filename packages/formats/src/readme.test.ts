import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from '@jest/globals';

const directory = path.join(import.meta.dirname, '..');

test('the snippet of the README prints what stands below it', () => {
  const readme = readFileSync(path.join(directory, 'README.md'), 'utf8');
  const [, code = '', output = ''] = /```ts\n([^]*?)```\n\n```text\n([^]*?)```/.exec(readme) ?? [];
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module-typescript', '--eval', code], {
    cwd: directory,
    encoding: 'utf8',
    timeout: 30_000,
  });
  expect(stderr).toBe('');
  expect(stdout).toBe(output);
});
