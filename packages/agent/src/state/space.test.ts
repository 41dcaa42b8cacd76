import { expect, test } from '@jest/globals';
import { mkdir, symlink, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { openBench } from '../../test/agent-bench.ts';
import { describeFull, findMount, isFull, largestFiles } from './space.ts';

const mib = 1024 * 1024;

test.each([
  ['a large disk with little left', 60, 10_000, true],
  ['a large disk', 70, 10_000, false],
  ['a small disk that is free', 22, 24, false],
  ['a small disk with nothing left', 1, 24, true],
])('%s', (_, free, total, is) => {
  expect(isFull({ freeBytes: free * mib, totalBytes: total * mib })).toBe(is);
});

test('the largest files are named, small ones and what lies behind a link are not', async () => {
  await using bench = await openBench();
  const { stateDir } = bench;
  await mkdir(path.join(stateDir, 'logs'), { recursive: true });
  for (const [name, size] of [
    ['logs/edge.log', 3 * mib],
    ['journal.ndjson', 10],
    ['filler', 5 * mib],
  ] as const) {
    await writeFile(path.join(stateDir, name), '');
    await truncate(path.join(stateDir, name), size);
  }
  await symlink('/usr', path.join(stateDir, 'usr'));
  expect(await largestFiles(stateDir)).toEqual(['filler (5.0 MiB)', 'logs/edge.log (3.0 MiB)']);
  expect(await findMount('/proc/self')).toBe('/proc');
  expect(await describeFull(stateDir)).toContain('filler (5.0 MiB)');
});
