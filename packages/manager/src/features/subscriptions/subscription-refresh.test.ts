import { expect, test } from '@jest/globals';
import { createFakeClock, createNewId, isoTime, ProblemError } from '@sbox/core';
import { randomBytes } from '@sbox/daemon/keys';
import { silentLogger } from '@sbox/daemon/log';
import { openDatabase } from '../../database/open-database.ts';
import { createStore } from '../../database/store.ts';
import type { FetchResult } from '../../fetching/fetcher.ts';
import { createKeyedQueue } from '../../keyed-queue.ts';
import { readContent } from './read-content.ts';
import { createRefresher, nextFetchAt } from './subscription-refresh.ts';

const text = 'trojan://example-password@192.0.2.1:443#One';

/** A refresher whose fetches end when the test says so. */
async function openRefresher() {
  const database = await openDatabase(':memory:');
  const clock = createFakeClock();
  const newId = createNewId(randomBytes);
  const store = createStore({ db: database.db, clock, newId, published: () => {} });
  const pending: ((result: FetchResult | Error) => void)[] = [];
  const fetcher = {
    fetch: async () =>
      await new Promise<FetchResult>((resolve, reject) => {
        pending.push((result) => (result instanceof Error ? reject(result) : resolve(result)));
      }),
  };
  const stopping = new AbortController();
  const changed: string[] = [];
  const refresher = createRefresher({
    store,
    fetcher,
    clock,
    newId,
    random: () => 0.5,
    queue: createKeyedQueue(),
    read: async (bytes, before) => await Promise.resolve(readContent(bytes, before)),
    log: silentLogger,
    stopping: stopping.signal,
    changed: (id) => changed.push(id),
  });
  await store.subscriptions.insert({
    id: 'sub',
    name: 'sub',
    project: 'default',
    source: JSON.stringify({ type: 'url', url: 'https://example.test/x' }),
    refresh_every: '1h',
    min_share: 0.5,
    revision: 1,
    version: null,
    pinned_version: null,
    nodes: 0,
    rejected: 0,
    usage: null,
    etag: null,
    last_modified: null,
    next_fetch_at: null,
    created_at: '2026-01-01T00:00:00.000Z',
    updated_at: '2026-01-01T00:00:00.000Z',
  });
  /** Answers the next fetch that was begun. */
  const answer = async (result: FetchResult | Error): Promise<void> => {
    while (pending.length === 0) await new Promise((resolve) => setImmediate(resolve));
    pending.shift()?.(result);
  };
  return {
    store,
    clock,
    refresher,
    answer,
    pending,
    changed,
    stopping,
    [Symbol.asyncDispose]: database[Symbol.asyncDispose],
  };
}

const content = (body: string): FetchResult => ({
  kind: 'content',
  status: 200,
  bytes: Buffer.from(body),
  headers: {},
  duration_ms: 5,
});

test('twenty who ask at once share one fetch', async () => {
  await using opened = await openRefresher();
  const asked = Promise.all(Array.from({ length: 20 }, async () => await opened.refresher.refresh('sub')));
  await opened.answer(content(text));
  expect(new Set((await asked).map(({ id }) => id)).size).toBe(1);
  expect(opened.pending).toHaveLength(0);
  expect(opened.changed).toEqual(['sub']);
});

test('what comes for a source that was changed meanwhile is not taken', async () => {
  await using opened = await openRefresher();
  const asked = opened.refresher.refresh('sub');
  while (opened.pending.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const source = JSON.stringify({ type: 'url', url: 'https://example.test/other' });
  const next_fetch_at = isoTime(opened.clock.now());
  await opened.store.subscriptions.update('sub', { source, next_fetch_at });
  await opened.answer(content(text));
  expect(await asked).toMatchObject({ outcome: 'failed', code: 'precondition.failed', version: null });
  // The fetch of the new source is still due.
  expect(await opened.store.subscriptions.find('sub')).toMatchObject({ version: null, next_fetch_at });
});

test('a subscription that is deleted meanwhile is not found', async () => {
  await using opened = await openRefresher();
  const asked = opened.refresher.refresh('sub');
  while (opened.pending.length === 0) await new Promise((resolve) => setImmediate(resolve));
  await opened.store.subscriptions.remove('sub');
  await opened.answer(content(text));
  await expect(asked).rejects.toMatchObject({ code: 'subscription.not-found' });
});

test('a manager that stops writes no outcome', async () => {
  await using opened = await openRefresher();
  const asked = opened.refresher.refresh('sub');
  while (opened.pending.length === 0) await new Promise((resolve) => setImmediate(resolve));
  opened.stopping.abort(new ProblemError('internal.unavailable', 'stopping'));
  await opened.answer(new ProblemError('fetch.failed', 'cut'));
  await expect(asked).rejects.toMatchObject({ code: 'internal.unavailable' });
  expect(await opened.store.subscriptions.listFetches('sub', { limit: 5, after: undefined })).toEqual([]);
});

test('the next fetch is due after the interval ± 10 %, and sooner after a failure', () => {
  const clock = createFakeClock(0);
  const source = JSON.stringify({ type: 'url', url: 'https://example.test/' });
  const minutes = (random: number, refresh_every: string, isBad: boolean) => {
    const at = nextFetchAt({ clock, random: () => random }, { refresh_every, source }, isBad);
    return at === null ? null : Date.parse(at) / 60_000;
  };
  expect([minutes(0, '1h', false), minutes(0.5, '1h', false), minutes(1, '1h', false)]).toEqual([54, 60, 66]);
  expect([minutes(0.5, '1h', true), minutes(0.5, '1m', true), minutes(0.5, '0', false)]).toEqual([5, 1, null]);
  const inline = JSON.stringify({ type: 'inline', text });
  expect(nextFetchAt({ clock, random: () => 0 }, { refresh_every: '1h', source: inline })).toBeNull();
});
