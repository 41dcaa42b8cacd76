import { deflateSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createFakeClock, createNewId, ProblemError } from '@sbox/core';
import { randomBytes } from '@sbox/daemon/keys';
import { silentLogger } from '@sbox/daemon/log';
import { openDatabase } from '../../database/open-database.ts';
import { createStore, type Store } from '../../database/store.ts';
import type { FetchResult } from '../../fetching/fetcher.ts';
import { createKeyedQueue } from '../../keyed-queue.ts';
import { readRuleSet } from './rule-set-content.ts';
import { createRuleSets, type RuleSets } from './rule-sets-service.ts';

const compiled = (text: string): Buffer => Buffer.concat([Buffer.from('SRS\u0001'), deflateSync(text)]);
const source = Buffer.from('{"version":1,"rules":[]}');
const page = Buffer.from('<!DOCTYPE html><html><body>Not found</body></html>');
const url = 'https://rules.example/ru.srs?token=secret';
const dayMs = 86_400_000;

describe('content', () => {
  test('is told by its bytes', async () => {
    expect(await readRuleSet(compiled('rules'))).toBe('binary');
    expect(await readRuleSet(source)).toBe('source');
  });

  test.each([
    ['a web page', page, 'web page'],
    ['a text', Buffer.from('geosite:ru'), 'neither'],
    ['other JSON', Buffer.from('{"message":"Not Found"}'), 'neither'],
    ['JSON that is no object', Buffer.from('null'), 'neither'],
    ['nothing', Buffer.alloc(0), 'neither'],
    ['a compiled one that was cut short', compiled('rules'.repeat(100)).subarray(0, 20), 'cut short'],
  ])('%s is refused', async (_, bytes, words) => {
    await expect(readRuleSet(bytes)).rejects.toMatchObject({
      code: 'rule-set.invalid',
      message: expect.stringContaining(words),
    });
  });
});

describe('the mirror', () => {
  let stack: AsyncDisposableStack;
  let store: Store;
  let ruleSets: RuleSets;
  let answer: () => FetchResult;
  let asked: { url: string; cached: unknown }[];
  let changes: number;
  const clock = createFakeClock();

  const content =
    (bytes: Uint8Array, headers: Record<string, string> = {}) =>
    (): FetchResult => ({
      kind: 'content',
      status: 200,
      bytes,
      headers,
      duration_ms: 1,
    });

  beforeEach(async () => {
    stack = new AsyncDisposableStack();
    const { db } = stack.use(await openDatabase(':memory:'));
    store = createStore({ db, clock, newId: createNewId(randomBytes), published: () => {} });
    asked = [];
    changes = 0;
    answer = content(compiled('one'), { etag: '"1"' });
    ruleSets = createRuleSets({
      store,
      fetcher: {
        async fetch(from, cached) {
          asked.push({ url: from.url, cached });
          return await Promise.resolve(answer());
        },
      },
      clock,
      random: () => 0.5,
      queue: createKeyedQueue(),
      log: silentLogger,
      refreshEvery: '1d',
      stopping: new AbortController().signal,
      changed: () => void (changes += 1),
    });
  });
  afterEach(async () => await stack.disposeAsync());

  const row = async () => (await ruleSets.list({ limit: 9 })).items[0];

  test('fetches what it lacks once, and gives the same digest from then on', async () => {
    const [first, second] = await Promise.all([ruleSets.freeze([url, url]), ruleSets.freeze([url])]);
    expect(first).toEqual(second);
    expect(first).toEqual([
      { url, digest: expect.stringMatching(/^sha256:/), size: expect.any(Number), format: 'binary' },
    ]);
    await ruleSets.freeze([url]);
    expect(asked).toHaveLength(1);
    expect(await store.blobs.content(first[0]?.digest ?? '')).toEqual(compiled('one'));
    expect(await row()).toMatchObject({
      url: 'https://rules.example/ru.srs?***',
      state: 'good',
      problem: null,
      configs: [],
    });
  });

  test('asks again when it is due, with the ETag, and says when the content is another', async () => {
    const [before] = await ruleSets.freeze([url]);
    await ruleSets.refreshDue();
    expect(asked).toHaveLength(1);
    await clock.advance(dayMs);
    answer = () => ({ kind: 'not-modified', status: 304 });
    await ruleSets.refreshDue();
    expect(asked[1]?.cached).toEqual({ etag: '"1"' });
    expect(changes).toBe(0);
    await ruleSets.freeze([url]);
    answer = content(compiled('two'));
    expect(await ruleSets.refresh()).toEqual([
      { url: 'https://rules.example/ru.srs?***', outcome: 'changed', code: null, detail: null },
    ]);
    expect(changes).toBe(1);
    const [after] = await ruleSets.freeze([url]);
    expect(after?.digest).not.toBe(before?.digest);
    // A version may be on its way that was frozen before.
    expect(await store.blobs.content(before?.digest ?? '')).toBeDefined();
  });

  test.each<[string, () => FetchResult, string]>([
    ['a web page', content(page), 'rule-set.invalid'],
    [
      'nobody',
      () => {
        throw new ProblemError('fetch.failed', 'rules.example does not answer');
      },
      'fetch.failed',
    ],
  ])('keeps the last good content when %s answers', async (_, bad, code) => {
    const [before] = await ruleSets.freeze([url]);
    answer = bad;
    expect(await ruleSets.refresh([url])).toMatchObject([{ outcome: 'failed', code }]);
    expect(await ruleSets.freeze([url])).toEqual([before]);
    expect(await row()).toMatchObject({ state: 'stale', problem: { code } });
    answer = content(compiled('one'));
    await clock.advance(20 * 60_000);
    await ruleSets.refreshDue();
    expect(await row()).toMatchObject({ state: 'good', problem: null });
  });

  test('an address that no config names is said to be unknown', async () => {
    await ruleSets.freeze([url]);
    const stranger = 'https://other.example/x.srs?key=secret';
    expect(await ruleSets.refresh([url, stranger])).toMatchObject([
      { url: 'https://rules.example/ru.srs?***', outcome: 'unchanged' },
      { url: 'https://other.example/x.srs?***', outcome: 'failed', code: 'rule-set.unavailable' },
    ]);
  });

  test('the time of the content stays while the same comes again', async () => {
    await ruleSets.freeze([url]);
    const before = await row();
    await clock.advance(dayMs);
    await ruleSets.refreshDue();
    const after = await row();
    expect(after?.fetched_at).toBe(before?.fetched_at);
    expect(after?.checked_at).not.toBe(before?.checked_at);
  });

  test('what has no time set is fetched when it should be refreshed again', async () => {
    await ruleSets.freeze([url]);
    await store.ruleSets.update(url, { next_fetch_at: null });
    await ruleSets.refreshDue();
    expect(asked).toHaveLength(2);
    expect((await row())?.next_fetch_at).not.toBeNull();
  });

  test('a version cannot be made of what never came, and the reason hides the secret', async () => {
    answer = content(page);
    await expect(ruleSets.freeze([url])).rejects.toMatchObject({
      code: 'rule-set.unavailable',
      message: 'https://rules.example/ru.srs?***: a web page came instead of a rule-set',
    });
    expect(await row()).toMatchObject({ state: 'missing' });
    answer = content(source);
    expect(await ruleSets.freeze([url])).toMatchObject([{ format: 'source' }]);
  });
});
