import { appendFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { makeTestDirectory } from '../../test/test-directory.ts';
import { createLogFile, type LogFile } from './log-file.ts';

const directory = makeTestDirectory('log');

const limits = { maxBytes: 100, files: 3, linesPerSecond: 1000 };
const open = (name: string, more: Partial<typeof limits> = {}): LogFile =>
  createLogFile(path.join(directory, name), { ...limits, ...more });

test('a log that is too long is cut while its writer goes on', async () => {
  const log = open('logs/a.log');
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
  const log = open('b.log');
  expect(await log.tail(5)).toEqual([]);
  expect(await log.size()).toBe(0);
  const uuid = '6f2c4a1e-1111-2222-3333-444455556666';
  appendFileSync(log.file, `one\n\u001B[31mFATAL\u001B[0m[0000] user ${uuid}\n\n`);
  expect(await log.tail(5)).toEqual(['one', 'FATAL[0000] user ***']);
  expect(await log.tail(1)).toHaveLength(1);
});

test('a log that cannot be copied is cut all the same: a full disk must not keep it growing', async () => {
  const log = open('c.log', { files: 1 });
  mkdirSync(`${log.file}.1`);
  appendFileSync(log.file, 'x'.repeat(120));
  await expect(log.rotate()).rejects.toThrow();
  expect(statSync(log.file).size).toBe(0);
});

test('old files move up, the oldest goes, and every line is in one of them', async () => {
  const log = open('d.log', { maxBytes: 10 });
  const written = Array.from({ length: 6 }, (_, index) => `${index}`.repeat(20));
  for (const line of written) {
    appendFileSync(log.file, line);
    await log.rotate();
  }
  const numbered = [1, 2, 3].map((number) => readFileSync(`${log.file}.${number}`, 'utf8'));
  expect(numbered).toEqual(written.slice(3).toReversed());
  expect(existsSync(`${log.file}.4`)).toBe(false);
  expect(statSync(`${log.file}.1`).mode & 0o777).toBe(0o600);
  await log.prune(1);
  expect([1, 2, 3].map((number) => existsSync(`${log.file}.${number}`))).toEqual([true, false, false]);
});

test('a log without old files is just cut', async () => {
  const log = open('e.log', { files: 0 });
  appendFileSync(log.file, 'x'.repeat(200));
  await log.rotate();
  expect([statSync(log.file).size, existsSync(`${log.file}.1`)]).toEqual([0, false]);
});

describe('a log that is written too fast', () => {
  const flood = (count: number, from = 0): string =>
    Array.from({ length: count }, (_, index) => `line ${from + index} ${'x'.repeat(60)}\n`).join('');

  test('keeps what is allowed and what was said last, and says how much it lost', async () => {
    const log = open('f.log');
    await log.trim(1000);
    writeFileSync(log.file, '');
    await log.trim(1000);
    appendFileSync(log.file, flood(10_000));
    const dropped = await log.trim(1000);
    const lines = readFileSync(log.file, 'utf8').trimEnd().split('\n');
    expect(lines.slice(0, 1000).join('\n')).toBe(flood(1000).trimEnd());
    expect(lines[1000]).toBe(`dropped ${dropped} lines: more than 1000 a second`);
    expect(lines.at(-1)).toContain('line 9999 ');
    expect(lines.length - 1 + dropped).toBe(10_000);
    expect(lines.length).toBeLessThan(1300);
    // What it wrote itself is not counted again.
    expect(await log.trim(1000)).toBe(0);
  });

  test('may write so much in a longer time', async () => {
    const log = open('g.log');
    writeFileSync(log.file, '');
    await log.trim(1000);
    appendFileSync(log.file, flood(9000));
    expect(await log.trim(10_000)).toBe(0);
    expect(statSync(log.file).size).toBe(flood(9000).length);
  });

  test('goes on being written where it was cut', async () => {
    const log = open('h.log');
    const handle = await log.open();
    await log.trim(1000);
    await handle.write(flood(5000));
    await log.trim(1000);
    await handle.write('afterwards\n');
    await handle.close();
    const text = readFileSync(log.file, 'utf8');
    expect(text.endsWith('x\nafterwards\n')).toBe(true);
    expect(text).not.toContain('\0');
  });

  test('is left alone where nothing limits it', async () => {
    const log = open('i.log', { linesPerSecond: 0 });
    await log.trim(1000);
    appendFileSync(log.file, flood(5000));
    expect(await log.trim(1000)).toBe(0);
  });
});
