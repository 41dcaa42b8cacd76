import { appendFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { createLogFile } from './log-file.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'sbox-log-'));
afterAll(() => rmSync(directory, { recursive: true }));

test('a log that is too long is cut while its writer goes on', async () => {
  const log = createLogFile(path.join(directory, 'logs', 'a.log'), 100);
  const handle = await log.open();
  await handle.write(`${'x'.repeat(120)}\n`);
  await log.rotate();
  await handle.write('after\n');
  await handle.close();
  expect(statSync(log.file).size).toBe(6);
  expect(statSync(log.file).mode & 0o777).toBe(0o600);
  expect(existsSync(`${log.file}.1`)).toBe(true);
  // The place where the last start began is behind the end now.
  expect(await log.readFrom(121)).toBe('after\n');
});

test('the tail hides secrets and colours, and a missing file is empty', async () => {
  const log = createLogFile(path.join(directory, 'b.log'), 100);
  expect(await log.tail(5)).toEqual([]);
  expect(await log.size()).toBe(0);
  const uuid = '6f2c4a1e-1111-2222-3333-444455556666';
  appendFileSync(log.file, `one\n\u001B[31mFATAL\u001B[0m[0000] user ${uuid}\n\n`);
  expect(await log.tail(5)).toEqual(['one', 'FATAL[0000] user ***']);
  expect(await log.tail(1)).toHaveLength(1);
});

test('a log that cannot be copied is cut all the same: a full disk must not keep it growing', async () => {
  const log = createLogFile(path.join(directory, 'c.log'), 100);
  mkdirSync(`${log.file}.1`);
  appendFileSync(log.file, 'x'.repeat(120));
  await expect(log.rotate()).rejects.toThrow();
  expect(statSync(log.file).size).toBe(0);
});
