import { expect, test } from '@jest/globals';
import { createFakeClock, createNewId } from '@sbox/core';
import { randomBytes } from '@sbox/daemon/keys';
import { anonymous } from '@sbox/daemon/serve';
import { openDatabase } from '../../database/open-database.ts';
import { createStore } from '../../database/store.ts';
import { knownTemplates } from '../settings/known-templates.ts';
import { createTemplatesService } from './templates-service.ts';

const at = '2026-01-01T00:00:00.000Z';
const own = { name: 'mixed', engine: 'sing-box' as const, description: 'mine', params: {}, document: { log: {} } };

test('a template of people goes before one of the same name that a newer sbox brings', async () => {
  await using database = await openDatabase(':memory:');
  const deps = { db: database.db, clock: createFakeClock(), newId: createNewId(randomBytes), published: () => {} };
  const store = createStore(deps);
  const service = createTemplatesService({ store, clock: deps.clock, knownTemplates });
  expect(await service.get('mixed', undefined, {})).toMatchObject({ built_in: true });
  // As it was stored before there was a ready one.
  await store.templates.insert({
    name: 'mixed',
    project: 'default',
    version: 1,
    revision: 1,
    created_at: at,
    updated_at: at,
  });
  const version = { name: 'mixed', version: 1, digest: 'd', author: 'a', message: '', created_at: at };
  await store.templates.insertVersion({ ...version, template: own });
  expect(await service.get('mixed', undefined, {})).toMatchObject({ built_in: false, description: 'mine' });
  const { items } = await service.list({ limit: 100 }, anonymous);
  expect(items.filter(({ name }) => name === 'mixed')).toMatchObject([{ built_in: false }]);
  expect((await service.versions('mixed', { limit: 9 })).items).toHaveLength(1);
  await service.remove('mixed', '*');
  expect(await service.get('mixed', undefined, {})).toMatchObject({ built_in: true });
});
