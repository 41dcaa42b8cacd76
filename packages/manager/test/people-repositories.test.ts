import { describe, expect, test } from '@jest/globals';
import { createFakeClock, createNewId } from '@sbox/core';
import { randomBytes } from '@sbox/daemon/keys';
import { makeToken } from '../src/access/tokens.ts';
import { createStore } from '../src/database/store.ts';
import { newUser } from '../src/features/people/users-service.ts';
import { at, databases, later, openStoreOn } from './repository-rows.ts';

const user = (id: string, name = `name-${id}`) =>
  newUser({ id, name, display_name: '', password_hash: 'h', role: 'admin', at });
const session = (id: string, user_id: string, created_at = at) => ({
  id,
  user_id,
  secret_sha256: `digest-${id}`,
  remote_address: '',
  user_agent: '',
  created_at,
  seen_at: created_at,
  proven_at: null,
  expires_at: later,
});
const world = { clock: createFakeClock(), newId: createNewId(randomBytes), randomBytes };

describe.each(databases)('$name', ({ open }) => {
  test('users: found by id before name, listed by name, counted by role', async () => {
    await using opened = await openStoreOn(open);
    const { users } = opened.store;
    for (const one of [user('b'), user('a'), user('c', 'b')]) await users.insert(one);
    expect((await users.find('b'))?.id).toBe('b');
    expect(await users.find('name-a')).toEqual(user('a'));
    expect((await users.list({ limit: 1, after: undefined })).map(({ name }) => name)).toEqual(['b', 'name-a']);
    expect((await users.list({ limit: 9, after: ['name-a'] })).map(({ name }) => name)).toEqual(['name-b']);
    await users.update('b', { disabled_at: at });
    expect([await users.countOthers('admin', 'a'), await users.countOthers('viewer', 'a')]).toEqual([1, 0]);
    await expect(users.insert(user('d', 'b'))).rejects.toThrow();
  });

  test('sessions go with their user, and over ones a few at a time', async () => {
    await using opened = await openStoreOn(open);
    const { users, sessions } = opened.store;
    for (const id of ['a', 'b']) await users.insert(user(id));
    for (const one of [session('1', 'a'), session('2', 'a', later), session('3', 'b')]) await sessions.insert(one);
    expect(await sessions.findBySecret('digest-1')).toMatchObject({ id: '1', name: 'name-a', role: 'admin' });
    const times = { now: at, idleSince: '' };
    expect(await sessions.count(['a', 'b', 'c'], times)).toEqual(new Map(Object.entries({ a: 2, b: 1 })));
    await sessions.removeBeyond('a', 1);
    expect(await sessions.findBySecret('digest-1')).toBeUndefined();
    await users.remove('a');
    expect(await sessions.findBySecret('digest-2')).toBeUndefined();
    expect([await sessions.remove('3'), await sessions.remove('3')]).toEqual([true, false]);
  });

  test('a tenant sees nothing of the people of another, and changes nothing there', async () => {
    await using opened = await openStoreOn(open);
    const { store, database } = opened;
    const other = createStore({ db: database.db, ...world, published: () => {} }, 'other');
    await store.users.insert(user('a'));
    await store.sessions.insert(session('1', 'a'));
    const { record } = makeToken(world, { name: 't', kind: 'pat', role: 'admin', userId: 'a' });
    await store.tokens.insert(record);
    expect(await other.users.find('a')).toBeUndefined();
    expect(await other.sessions.findBySecret('digest-1')).toBeUndefined();
    expect(await other.tokens.find(record.id)).toBeUndefined();
    // The same ids in both: what one tenant does is not done to the other.
    await other.users.insert(user('a'));
    await other.users.update('a', { role: 'viewer' });
    await other.sessions.removeOf('a');
    await other.sessions.removeOver({ now: later, idleSince: later }, 9);
    await other.tokens.revokeOf('a', at);
    await other.tokens.removeDead('9', 9);
    await other.users.remove('a');
    expect(await store.tokens.find(record.id)).toMatchObject({ revoked_at: null, owner_role: 'admin' });
    expect((await store.sessions.findBySecret('digest-1'))?.name).toBe('name-a');
  });
});
