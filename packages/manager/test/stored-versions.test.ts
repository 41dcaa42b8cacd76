import { describe, expect, test } from '@jest/globals';
import {
  at,
  config,
  databases,
  inputs,
  later,
  openStoreOn,
  rendition,
  ruleSet,
  subscription,
  versionRow,
} from './repository-rows.ts';

describe.each(databases)('$name', ({ open }) => {
  const openStore = async () => await openStoreOn(open);

  test('versions share renditions, which go with the last that has them', async () => {
    await using opened = await openStore();
    const { configs, subscriptions } = opened.store;
    await subscriptions.insert(subscription('s'));
    for (const id of ['a', 'b']) {
      await configs.insert(config(id, ['s']));
      await configs.insertVersion(versionRow(id, 1));
      await configs.insertRendition({ config_id: id, version: 1 }, rendition('sha256:same'), 'text');
    }
    await configs.insertRendition({ config_id: 'a', version: 1 }, rendition('sha256:own', 'q'), 'more');
    await configs.insertRendition({ config_id: 'a', version: 1 }, rendition('sha256:other'), 'ignored: p is there');
    expect(await configs.findVersion('a', 1)).toEqual({
      ...versionRow('a', 1),
      renditions: [rendition('sha256:same'), rendition('sha256:own', 'q')],
    });
    expect((await configs.content('sha256:same'))?.toString()).toBe('text');
    await configs.insertVersion(versionRow('a', 2));
    expect((await configs.listVersions('a', { limit: 9, after: undefined })).map(({ version }) => version)).toEqual([
      2, 1,
    ]);
    await expect(configs.insertVersion(versionRow('a', 2))).rejects.toThrow();
    await configs.remove('a');
    expect(await configs.content('sha256:own')).toBeUndefined();
    expect(await configs.content('sha256:same')).toBeDefined();
  });

  test('blobs stay as long as a version, a rule-set or somebody who makes a version needs them', async () => {
    await using opened = await openStore();
    const { configs, subscriptions, blobs, ruleSets } = opened.store;
    await subscriptions.insert(subscription('s'));
    await configs.insert(config('a', ['s']));
    for (const digest of ['d1', 'd2', 'd3', 'd4']) await blobs.add(digest, Buffer.from(digest));
    await blobs.add('d1', Buffer.from('ignored: it is there'));
    const refs = [{ url: 'u1', digest: 'd1', size: 2, format: 'binary' as const }];
    await configs.insertVersion({ ...versionRow('a', 1), inputs: { ...inputs, rule_sets: refs } });
    const files = [{ path: 'x.json', digest: 'd2', size: 2 }];
    const made = { ...rendition('sha256:same'), files };
    await configs.insertRendition({ config_id: 'a', version: 1 }, made, 'text');
    expect((await configs.findVersion('a', 1))?.renditions).toEqual([made]);
    await blobs.hold(['d3'], later);
    await blobs.removeUnused(at);
    const found = async () => await Promise.all(['d1', 'd2', 'd3', 'd4'].map((digest) => blobs.content(digest)));
    expect((await found()).map((bytes) => bytes?.toString())).toEqual(['d1', 'd2', 'd3', undefined]);
    await ruleSets.insert(ruleSet('u3', { digest: 'd3' }));
    await configs.remove('a');
    await blobs.removeUnused('2026-02-01T00:00:00.000Z');
    expect((await found()).map((bytes) => bytes?.toString())).toEqual([undefined, undefined, 'd3', undefined]);
    await expect(ruleSets.update('u3', { digest: 'd1' })).rejects.toThrow();
  });

  test('rule-sets: due by time, forgotten when no version names them, and known by the configs that are behind', async () => {
    await using opened = await openStore();
    const { configs, subscriptions, blobs, ruleSets } = opened.store;
    await subscriptions.insert(subscription('s'));
    for (const digest of ['old', 'new']) await blobs.add(digest, Buffer.from(digest));
    await ruleSets.insert(ruleSet('u1', { digest: 'old', next_fetch_at: later }));
    await ruleSets.insert(ruleSet('u2', { next_fetch_at: at }));
    await ruleSets.insert(ruleSet('u2', { code: 'ignored: it is there' }));
    expect((await ruleSets.due(at, 9)).map(({ url }) => url)).toEqual(['u2']);
    expect((await ruleSets.due(later, 9)).map(({ url }) => url)).toEqual(['u2', 'u1']);
    expect(await ruleSets.find('u2')).toEqual(ruleSet('u2', { next_fetch_at: at }));
    expect((await ruleSets.list({ limit: 9, after: ['u1'] })).map(({ url }) => url)).toEqual(['u2']);
    const rule_sets = [{ url: 'u1', digest: 'old', size: 3, format: 'binary' as const }];
    for (const id of ['a', 'b']) {
      await configs.insert(config(id, ['s']));
      await configs.insertVersion({ ...versionRow(id, 1), inputs: { ...inputs, rule_sets } });
      await configs.update(id, { version: 1 });
    }
    await configs.insertVersion(versionRow('b', 2));
    await configs.update('b', { version: 2 });
    expect(await ruleSets.users(['u1', 'u2'])).toEqual(new Map([['u1', ['name-a']]]));
    expect(await ruleSets.outdatedConfigs()).toEqual([]);
    await ruleSets.update('u1', { digest: 'new' });
    expect(await ruleSets.outdatedConfigs()).toEqual(['a']);

    // A version that somebody brought back has old content on purpose, until there is newer.
    await configs.insertVersion({ ...versionRow('a', 2), rollback_of: 1, inputs: { ...inputs, rule_sets } });
    await configs.update('a', { version: 2 });
    await ruleSets.update('u1', { fetched_at: at });
    expect(await ruleSets.outdatedConfigs()).toEqual([]);
    await ruleSets.update('u1', { fetched_at: later });
    expect(await ruleSets.outdatedConfigs()).toEqual(['a']);

    await blobs.add('held', Buffer.from('held'), { held_until: later });
    await ruleSets.insert(ruleSet('u3', { digest: 'held' }));
    await ruleSets.insert(ruleSet('u4', { digest: 'new' }));
    await ruleSets.removeUnused(later, at);
    expect((await ruleSets.findMany(['u1', 'u2', 'u3', 'u4'])).map(({ url }) => url)).toEqual(['u1', 'u3']);
  });

  test('templates keep every version until they go', async () => {
    await using opened = await openStore();
    const { templates } = opened.store;
    const row = { name: 'own', project: 'default', version: 1, revision: 1, created_at: at, updated_at: at };
    const made = (version: number) => ({
      name: 'own',
      version,
      digest: `d${version}`,
      template: { name: 'own', engine: 'sing-box' as const, description: '', params: {}, document: { version } },
      author: 'a',
      message: '',
      created_at: at,
    });
    await templates.insert(row);
    await expect(templates.insert(row)).rejects.toThrow();
    for (const version of [1, 2]) await templates.insertVersion(made(version));
    await expect(templates.insertVersion(made(2))).rejects.toThrow();
    await templates.update('own', { version: 2, revision: 2 });
    expect(await templates.find('own')).toEqual({ ...row, version: 2, revision: 2 });
    expect(await templates.list({ limit: 9, after: ['own'] })).toEqual([]);
    expect(await templates.findVersion('own', 1)).toEqual(made(1));
    const listed = await templates.listVersions('own', { limit: 1, after: [9] });
    expect(listed.map(({ version }) => version)).toEqual([2, 1]);
    await templates.remove('own');
    expect([await templates.find('own'), await templates.findVersion('own', 1)]).toEqual([undefined, undefined]);
  });
});
