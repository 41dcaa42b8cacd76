import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { differences, fillHidden, hiddenPlaces, hidePlaces } from './compare.ts';
import { fileNameOf } from './file-names.ts';
import { escapeReferences, substitute } from './substitute.ts';
import { readYaml } from './yaml-file.ts';

describe('hidden values that were written down', () => {
  const real = {
    outbounds: [
      { tag: 'a', password: 'one' },
      { tag: 'b', password: 'two' },
    ],
    url: 'https://h/secret',
  };
  const shown = {
    outbounds: [
      { tag: 'a', password: '***' },
      { tag: 'b', password: '***' },
    ],
    url: 'https://h/***',
  };

  test('stand for what was there', () => {
    expect(fillHidden(shown, shown, real)).toEqual(real);
    expect(fillHidden({ ...shown, more: 1 }, shown, real)).toEqual({ ...real, more: 1 });
  });

  test('go with their part of a list, wherever it moves to', () => {
    const [a, b] = shown.outbounds;
    const moved = { ...shown, outbounds: [{ tag: 'new' }, b, a] };
    expect(fillHidden(moved, shown, real)).toMatchObject({
      outbounds: [{ tag: 'new' }, { tag: 'b', password: 'two' }, { tag: 'a', password: 'one' }],
    });
  });

  test('are never taken from another part: of one that changed, or of two that look the same', () => {
    const changed = { outbounds: [{ tag: 'c', password: '***' }] };
    expect(hiddenPlaces(fillHidden(changed, shown, real))).toEqual([['outbounds', 0, 'password']]);
    const alike = [{ password: '***' }, { password: '***' }];
    expect(hiddenPlaces(fillHidden(alike, alike, [{ password: 'one' }, { password: 'two' }]))).toHaveLength(2);
    expect(fillHidden(alike, alike, [{ password: 'one' }, { password: 'one' }])).toEqual([
      { password: 'one' },
      { password: 'one' },
    ]);
  });

  test('of another address stay hidden', () => {
    expect(hiddenPlaces(fillHidden({ url: 'https://other/***' }, shown, real))).toEqual([['url']]);
  });
});

test('differences are as deep as both sides go', () => {
  const before = { a: 1, list: ['x'], things: [{ n: 1 }, { n: 2 }], gone: true };
  const after = { a: 1, list: ['x', 'y'], things: [{ n: 1 }, { n: 3 }, { n: 4 }], come: null };
  expect(differences(before, after)).toEqual([
    { path: ['list'], before: ['x'], after: ['x', 'y'] },
    { path: ['things', 1, 'n'], before: 2, after: 3 },
    { path: ['things', 2], after: { n: 4 } },
    { path: ['gone'], before: true },
    { path: ['come'], after: null },
  ]);
  expect(differences({ a: { b: 1, c: 2 } }, { a: { c: 2, b: 1 } })).toEqual([]);
  expect(hidePlaces({ a: ['x', 'y'] }, new Set(['["a",1]']))).toEqual({ a: ['x', '***'] });
});

describe('what stands elsewhere', () => {
  const dir = mkdtempSync(path.join(process.env['SBOX_TEST_DIR'] ?? tmpdir(), 'sbox-files-'));
  writeFileSync(path.join(dir, 'token'), 'from a file\n');
  writeFileSync(path.join(dir, 'empty'), '\n');
  writeFileSync(path.join(dir, 'bytes'), Buffer.from([0xff, 0xfe]));
  symlinkSync('/etc/hostname', path.join(dir, 'out'));
  const sources = { env: { A: 'from a variable', EMPTY: '' }, dir };
  const put = async (value: unknown) => await substitute(value, sources);

  test('is put in, and its place is known', async () => {
    const { value, places, complaints } = await put({
      x: ['${env:A}', 'a ${file:token} b'],
      '${env:A}': 1,
      y: '${port}',
    });
    expect(value).toEqual({ x: ['from a variable', 'a from a file b'], '${env:A}': 1, y: '${port}' });
    expect([...places]).toEqual(['["x",0]', '["x",1]']);
    expect(complaints).toEqual([]);
  });

  test.each(['${env:NO}', '${env:EMPTY}', '${env:}', '${env:a b}', '${file:no}', '${file:empty}', '${file:bytes}'])(
    '%s is a complaint',
    async (text) => {
      expect((await put({ x: text })).complaints).toMatchObject([{ path: ['x'] }]);
    },
  );

  test.each(['${file:../x}', '${file:/etc/hostname}', '${file:out}', '${file:a/../../x}', '${file:}'])(
    '%s leads out, and is not read',
    async (text) => {
      const { complaints, value } = await put(text);
      expect(complaints).toHaveLength(1);
      expect(value).toBe('');
    },
  );

  test.each(['${env:A}', '$${env:A}', 'a $$${file:x} ${env:B}', '$', '${', '${port} $${port}', '${env:A'])(
    '%j is itself again after it was escaped',
    async (text) => {
      expect(await put(escapeReferences(text))).toMatchObject({ value: text, complaints: [] });
    },
  );

  test('is gone', () => rmSync(dir, { recursive: true }));
});

test.each([
  ['[', 1],
  ['a: 1\na: 2', 2],
  ['a: !mine 1', 1],
  ['a: *none', 1],
  ['a: 1\n---\nb: 2', 2],
  ['['.repeat(20_000), 1],
  [`a: &a [x]\nb: &b [${'*a,'.repeat(50)}]\nc: &c [${'*b,'.repeat(50)}]\nd: [${'*c,'.repeat(50)}]`, 1],
])('YAML that cannot be read is a complaint with a place (%#)', (text, line) => {
  const { complaints, value } = readYaml(text);
  expect(value).toBeUndefined();
  expect(complaints[0]?.line).toBeGreaterThanOrEqual(line);
});

test('names of files', () => {
  expect(fileNameOf('labels:role=edge,region in (eu,us)')).toBe('labels.role=edge,region%20in%20(eu,us)');
  expect(fileNameOf('labels:a/b=c')).toBe('labels.a%2Fb=c');
  expect(fileNameOf('main')).toBe('main');
});
