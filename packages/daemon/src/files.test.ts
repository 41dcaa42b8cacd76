import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { readIfExists, readJson, writeAtomic, writeJson } from './files.ts';

async function openDirectory() {
  const directory = await mkdtemp(path.join(tmpdir(), 'sbox-files-'));
  return {
    file: path.join(directory, 'state.json'),
    list: async () => (await readdir(directory)).toSorted(),
    async [Symbol.asyncDispose]() {
      await rm(directory, { recursive: true });
    },
  };
}

test('a file is replaced whole, with its mode, and nothing stays beside it', async () => {
  await using directory = await openDirectory();
  const { file, list } = directory;
  await writeFile(file, 'old content that is longer');
  await chmod(file, 0o666);
  await writeAtomic(file, 'new');
  expect(await readFile(file, 'utf8')).toBe('new');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  await writeAtomic(file, new Uint8Array([1, 2]), 0o644);
  expect([...(await readFile(file))]).toEqual([1, 2]);
  expect((await stat(file)).mode & 0o777).toBe(0o644);
  expect(await list()).toEqual(['state.json']);
});

test('of many writers at once one wins, and no two are mixed', async () => {
  await using directory = await openDirectory();
  const { file, list } = directory;
  const texts = Array.from({ length: 20 }, (_, index) => String.fromCodePoint(97 + index).repeat(50_000 - index * 100));
  await Promise.all(texts.map(async (text) => await writeAtomic(file, text)));
  expect(texts).toContain(await readFile(file, 'utf8'));
  expect(await list()).toEqual(['state.json']);
});

test('a write that fails leaves the old content and no litter', async () => {
  await using directory = await openDirectory();
  const { file, list } = directory;
  await writeAtomic(file, 'old');
  await expect(writeAtomic(path.join(file, 'inside'), 'x')).rejects.toThrow();
  await expect(writeAtomic(path.dirname(file), 'x')).rejects.toThrow();
  expect(await list()).toEqual(['state.json']);
  expect(await readFile(file, 'utf8')).toBe('old');
});

test('a link is replaced, not followed', async () => {
  await using directory = await openDirectory();
  const { file } = directory;
  const target = `${file}.target`;
  await writeFile(target, 'precious');
  await symlink(target, file);
  await writeAtomic(file, 'new');
  expect(await readFile(target, 'utf8')).toBe('precious');
});

test('JSON comes back; a missing file is undefined, a torn one an error', async () => {
  await using directory = await openDirectory();
  const { file } = directory;
  expect([await readIfExists(file), await readJson(file)]).toEqual([undefined, undefined]);
  await writeJson(file, { a: [1] });
  expect(await readJson(file)).toEqual({ a: [1] });
  await writeFile(file, '{"a":');
  await expect(readJson(file)).rejects.toThrow(SyntaxError);
  await expect(readIfExists(path.dirname(file))).rejects.toMatchObject({ code: 'EISDIR' });
});
