import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { createEngineFinder } from './find-engine.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'sbox-engine-'));
afterAll(() => rmSync(directory, { recursive: true }));
const real = path.resolve(import.meta.dirname, '../../../../.tools/bin/sing-box');

let starts = 0;
const counting = ((...args: Parameters<typeof spawn>) => {
  starts += 1;
  return spawn(...args);
}) as typeof spawn;

test('the first candidate that is sing-box is asked once, and again when it changed', async () => {
  const other = path.join(directory, 'other');
  writeFileSync(other, '#!/bin/sh\necho hello\n');
  chmodSync(other, 0o755);
  const linked = path.join(directory, 'sing-box');
  symlinkSync(real, linked);
  const finder = createEngineFinder({
    candidates: [path.join(directory, 'none'), directory, other, linked],
    spawn: counting,
  });
  expect(await finder.find()).toMatchObject({
    kind: 'sing-box',
    version: '1.14.4',
    tags: expect.arrayContaining(['with_quic']),
  });
  const after = starts;
  await finder.find();
  // The other program is asked each time; it may become sing-box.
  expect(starts - after).toBeLessThanOrEqual(1);
  rmSync(linked);
  symlinkSync(`${real}-1.12`, linked);
  expect((await finder.find()).version).toMatch(/^1\.12\./);
});

test('no engine is a clear error', async () => {
  const finder = createEngineFinder({ candidates: [path.join(directory, 'none')], spawn });
  await expect(finder.find()).rejects.toMatchObject({ code: 'engine.not-found' });
});
