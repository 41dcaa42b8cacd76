import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { digestOf } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import fc from 'fast-check';
import { createBlobsRepository, type BlobsRepository } from './blobs-repository.ts';
import { decompress } from './compressed.ts';
import { createContentStore, createServedContents, type ContentStore } from './content-store.ts';
import { openDatabase, type OpenDatabase } from './open-database.ts';

let database: OpenDatabase;
let contents: ContentStore;
let blobs: BlobsRepository;
beforeAll(async () => {
  database = await openDatabase(':memory:');
  contents = createContentStore(database.db, 'main', createServedContents());
  blobs = createBlobsRepository(database.db, 'main', contents);
});
afterAll(async () => await database[Symbol.asyncDispose]());

/** Text that hardly compresses by itself; the same seed gives the same. */
function noise(seed: number, length = 2000): string {
  let state = seed + 1;
  return Array.from({ length }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return String.fromCharCode(33 + (state % 90));
  }).join('');
}
const digest = (bytes: Uint8Array): string => digestOf(bytes, sha256);
const add = async (text: string, line?: string): Promise<string> => {
  const bytes = Buffer.from(text);
  await blobs.add(digest(bytes), bytes, line === undefined ? {} : { line });
  return digest(bytes);
};
const rowOf = async (name: string) =>
  await database.db.selectFrom('blobs').selectAll().where('digest', '=', name).executeTakeFirstOrThrow();
const remove = async (name: string): Promise<void> =>
  void (await database.db.deleteFrom('blobs').where('digest', '=', name).execute());
async function sweepAll(): Promise<number> {
  let removed = 0;
  for (let after = 0; ;) {
    const swept = await contents.sweep(after, 3);
    removed += swept.removed;
    after = swept.after;
    if (after === 0) return removed;
  }
}
const keyframes = async (): Promise<number> =>
  (await database.db.selectFrom('keyframes').select('id').execute()).length;

/** Removes everything, so that each test starts with nothing. */
async function empty(): Promise<void> {
  await database.db.deleteFrom('blobs').execute();
  await sweepAll();
  expect(await keyframes()).toBe(0);
  expect(await database.db.selectFrom('keyframe_lines').selectAll().execute()).toEqual([]);
}

describe('content that follows from other content', () => {
  test('takes what differs from the keyframe of its line, and is read byte for byte', async () => {
    await empty();
    const base = noise(1);
    const first = await add(base, 'line');
    const second = await add(`${base}, and a word`, 'line');
    expect((await blobs.content(second))?.toString()).toBe(`${base}, and a word`);
    expect((await blobs.content(first))?.toString()).toBe(base);
    const rows = [await rowOf(first), await rowOf(second)];
    expect(rows[0]?.base).not.toBeNull();
    expect(rows[1]?.base).toBe(rows[0]?.base);
    expect(rows.every(({ content }) => content.length < 60)).toBe(true);
    expect(await keyframes()).toBe(1);
  });

  test('stands alone without a line, and when it is small', async () => {
    await empty();
    expect((await rowOf(await add(noise(2)))).base).toBeNull();
    expect((await rowOf(await add('a few words', 'line'))).base).toBeNull();
    expect(await keyframes()).toBe(0);
  });

  test('begins a keyframe when it has little of the last one, after a hundred, and when differences have grown', async () => {
    await empty();
    await add(noise(3), 'line');
    const other = await add(noise(4), 'line');
    expect(await keyframes()).toBe(2);
    for (let n = 0; n < 99; n += 1) await add(`${noise(4)} ${n}`, 'line');
    expect((await rowOf(await add(`${noise(4)} last`, 'line'))).base).not.toBe((await rowOf(other)).base);
    expect(await keyframes()).toBe(3);
    // Each has a tenth of a keyframe more than the one before.
    const before = await keyframes();
    let grown = noise(5);
    for (let n = 0; n < 12; n += 1) await add((grown += noise(100 + n, 100)), 'grows');
    expect(await keyframes()).toBeGreaterThan(before + 1);
  });

  test('is handed out as zstd that needs no keyframe', async () => {
    await empty();
    await add(noise(5), 'line');
    const name = await add(`${noise(5)}!`, 'line');
    for (const _ of ['made', 'kept']) {
      const content = await blobs.compressed(name);
      expect(content && decompress(content).toString()).toBe(`${noise(5)}!`);
    }
    expect(await blobs.compressed('sha256:none')).toBeUndefined();
  });

  test('is an error with another keyframe or none, never other bytes', async () => {
    await empty();
    const [a, b] = [await add(noise(6), 'a'), await add(noise(7), 'b')];
    const set = { base: (await rowOf(b)).base };
    await database.db.updateTable('blobs').set(set).where('digest', '=', a).execute();
    await expect(blobs.content(a)).rejects.toMatchObject({ code: 'internal.error' });
    await expect(blobs.compressed(a)).rejects.toMatchObject({ code: 'internal.error' });
    const content = (await rowOf(b)).content;
    // The right keyframe, and content of another name.
    await database.db.updateTable('blobs').set({ content }).where('digest', '=', a).execute();
    await expect(blobs.content(a)).rejects.toThrow('has other bytes');
    await database.db.updateTable('blobs').set({ base: null }).where('digest', '=', b).execute();
    await expect(blobs.content(b)).rejects.toThrow();
    expect(await contents.unpackAll([])).toEqual([]);
    await expect(contents.unpack({ content, base: 999_999 })).rejects.toThrow('is not there');
  });

  test('keeps its keyframe: that can only go when nothing needs it', async () => {
    await empty();
    const first = await add(noise(8), 'line');
    const second = await add(`${noise(8)}!`, 'line');
    await remove(first);
    expect(await sweepAll()).toBe(0);
    await expect(database.db.deleteFrom('keyframes').execute()).rejects.toThrow('FOREIGN KEY');
    expect((await blobs.content(second))?.toString()).toBe(`${noise(8)}!`);
    await remove(second);
    expect(await sweepAll()).toBe(1);
    expect((await rowOf(await add(noise(8), 'line'))).base).not.toBeNull();
  });
});

type Step = { readonly do: 'add'; readonly line: number; readonly text: string } | { readonly do: 'remove' | 'sweep' };
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('add' as const),
      line: fc.nat(2),
      text: fc
        .tuple(fc.nat(3), fc.string({ maxLength: 40 }), fc.nat(2000))
        .map(([seed, edit, at]) => noise(seed).slice(0, at) + edit + noise(seed).slice(at)),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ do: 'remove' as const }) },
  { weight: 1, arbitrary: fc.constant({ do: 'sweep' as const }) },
);

test('whatever is added and removed in whatever order: what remains is read byte for byte', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(step, fc.nat(1000)), { maxLength: 120 }), async (steps) => {
      await empty();
      const kept = new Map<string, string>();
      for (const [taken, pick] of steps) {
        if (taken.do === 'add') kept.set(await add(taken.text, `line ${taken.line}`), taken.text);
        else if (taken.do === 'sweep') await sweepAll();
        else {
          const name = [...kept.keys()][pick % Math.max(1, kept.size)];
          if (name === undefined) continue;
          await remove(name);
          kept.delete(name);
        }
      }
      await sweepAll();
      for (const [name, text] of kept) expect((await blobs.content(name))?.toString()).toBe(text);
      const rows = await database.db.selectFrom('blobs').select(['content', 'base']).execute();
      expect(await contents.unpackAll(rows)).toHaveLength(kept.size);
    }),
    { numRuns: 60 },
  );
}, 60_000);
