import { expect, test } from '@jest/globals';
import { createFakeClock, createNewId, ProblemError } from '@sbox/core';
import { randomBytes } from '@sbox/daemon/keys';
import { silentLogger } from '@sbox/daemon/log';
import { openDatabase } from '../../database/open-database.ts';
import { createStore } from '../../database/store.ts';
import type { Config } from './configs-repository.ts';
import { createFollow } from './follow.ts';
import type { VersionInputs } from './rendering.ts';

const at = '2026-01-01T00:00:00.000Z';
const config: Config = {
  id: 'cfg_one',
  name: 'home',
  project: 'default',
  engine: 'sing-box',
  settings: {},
  auto_deploy: true,
  pipeline: [],
  template: { name: 'mixed', params: {} },
  patch: [],
  tests: [],
  tests_block: true,
  revision: 1,
  version: 1,
  last_number: 1,
  created_at: at,
  updated_at: at,
  subscriptions: [],
};

test('a config that was left when the manager died is followed again, and one that was done is not', async () => {
  await using database = await openDatabase(':memory:');
  const deps = { db: database.db, clock: createFakeClock(), newId: createNewId(randomBytes), published: () => {} };
  const store = createStore(deps);
  await store.configs.insert(config);
  await store.blobs.add('old', Buffer.from('old'));
  await store.blobs.add('new', Buffer.from('new'));
  const rule_sets = [{ url: 'u', digest: 'old', size: 3, format: 'binary' as const }];
  const version = { config_id: config.id, digest: 'd', nodes: 1, rollback_of: null, author: 'a', message: '' };
  const inputs = { engine: 'sing-box' as const, snapshots: [], settings: {} as VersionInputs['settings'] };
  await store.configs.insertVersion({ ...version, version: 1, created_at: at, inputs: { ...inputs, rule_sets } });
  const times = { fetched_at: at, checked_at: at, next_fetch_at: at, created_at: at };
  const answer = { etag: null, last_modified: null, code: null, detail: null };
  await store.ruleSets.insert({ url: 'u', digest: 'new', size: 3, format: 'binary', ...times, ...answer });

  const generated: string[] = [];
  let isDying = true;
  const follow = createFollow({
    store,
    configs: {
      async generate(id) {
        generated.push(id);
        // As after the version was stored: nothing is behind any more.
        await store.configs.insertVersion({ ...version, version: generated.length + 1, created_at: at, inputs });
        await store.configs.update(id, { version: generated.length + 1 });
        if (isDying) throw new Error('killed');
        throw new ProblemError('config.no-nodes', 'none');
      },
    },
    deployments: { deploy: async () => await Promise.reject(new Error('nothing is assigned')) },
    log: silentLogger,
  });
  await expect(follow.ruleSetsChanged()).rejects.toThrow('killed');
  isDying = false;
  await follow.ruleSetsChanged();
  expect(generated).toEqual([config.id, config.id]);
  await follow.ruleSetsChanged();
  expect(generated).toHaveLength(2);
});
