import { expect, test } from '@jest/globals';
import { configSettingsSchema } from '@sbox/protocol';
import * as z from 'zod/mini';
import { createAnswers } from '../src/features/clients/answers.ts';
import { targetOfAgent } from '../src/features/clients/profiles.ts';
import { config, databases, inputs, openStoreOn, versionRow } from './repository-rows.ts';

const target = targetOfAgent('SFA/1.14.4');

/** Some versions of one config, and how often they are read. */
async function openVersions(count: number) {
  const opened = await openStoreOn(databases[0]?.open ?? (() => Promise.reject(new Error('no database'))));
  const { store } = opened;
  await store.configs.insert(config('c', []));
  const settings = z.parse(configSettingsSchema, {});
  const skeleton = { outbounds: [{ type: 'direct', tag: 'direct' }] };
  for (let version = 1; version <= count; version += 1)
    await store.configs.insertVersion({ ...versionRow('c', version), inputs: { ...inputs, settings, skeleton } });
  let reads = 0;
  const findVersion: typeof store.configs.findVersion = async (...asked) => {
    reads += 1;
    return await store.configs.findVersion(...asked);
  };
  const counting = { ...store, configs: { ...store.configs, findVersion } };
  return { counting, reads: () => reads, [Symbol.asyncDispose]: opened[Symbol.asyncDispose] };
}

const ask = (version: number, format: 'sing-box' | 'links' = 'sing-box') => ({
  config: { id: 'c', version },
  format,
  target,
  user: 'phone',
});

test('ten thousand clients that ask for one version have it made once', async () => {
  await using versions = await openVersions(1);
  const answers = createAnswers({ store: versions.counting });
  const all = await Promise.all(Array.from({ length: 10_000 }, async () => await answers.of(ask(1))));
  expect(new Set(all).size).toBe(1);
  // Once to look for layers, once to make it.
  expect(versions.reads()).toBe(2);
});

test('what nobody asked for longest goes when there is no room', async () => {
  await using versions = await openVersions(3);
  const first = await createAnswers({ store: versions.counting }).of(ask(1));
  const answers = createAnswers({ store: versions.counting, maxBytes: first.bytes.length * 2 });
  for (const version of [1, 2, 1, 3]) await answers.of(ask(version));
  const before = versions.reads();
  await answers.of(ask(1));
  await answers.of(ask(3));
  expect(versions.reads()).toBe(before);
  await answers.of(ask(2));
  expect(versions.reads()).toBe(before + 1);
});

test('a version that is gone is said to be, each time', async () => {
  await using versions = await openVersions(1);
  const answers = createAnswers({ store: versions.counting });
  for (let times = 0; times < 2; times += 1)
    await expect(answers.of(ask(7))).rejects.toMatchObject({ code: 'sub.unsupported' });
});
