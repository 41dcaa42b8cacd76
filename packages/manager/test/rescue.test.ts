import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { openRescue } from '../src/rescue.ts';
import { codeOf, openManager } from './open-manager.ts';

const password = 'quite a long password';
const another = 'another long password';

test('who has the data gets in: beside a manager that runs, and without one', async () => {
  await using manager = await openManager();
  const data = path.join(manager.directory, 'data');
  const { users, session, events } = manager.client;
  await users.create({ body: { name: 'anna', password, role: 'admin' } });
  const login = async (typed: string) => await codeOf(session.open({ body: { name: 'anna', password: typed } }));
  for (let failures = 0; failures < 5; failures += 1) await login('not the password');
  expect(await login(password)).toBe('auth.login-failed');
  {
    await using rescue = await openRescue(data);
    expect(await rescue.unlock('anna')).toEqual({ name: 'anna', role: 'admin' });
    expect(await login(password)).toBe('none');
    await rescue.setPassword('anna', another);
    expect([await login(password), await login(another)]).toEqual(['auth.login-failed', 'none']);
    const { token } = await rescue.token(60_000);
    expect((await manager.clientOf(token).session.get()).permissions).toContain('people:write');
    expect(await codeOf(rescue.unlock('nobody'))).toBe('user.not-found');
    expect(await codeOf(rescue.setPassword('anna', 'short'))).toBe('request.invalid');
    // Longer than what can be typed at the door.
    expect(await codeOf(rescue.setPassword('anna', 'x'.repeat(257)))).toBe('request.invalid');
  }
  const { items } = await events.list({ query: { type: 'user.changed' } });
  expect(items.map(({ data: { changed } }) => changed)).toEqual([['password'], ['unlocked']]);
  const { items: entries } = await manager.client.audit.list({ query: { limit: 100 } });
  expect(entries.filter(({ actor_name }) => actor_name === 'rescue')).toHaveLength(3);
  let later = '';
  await manager.restart({}, async () => {
    await using rescue = await openRescue(data);
    later = (await rescue.token(60_000)).token;
  });
  expect(await codeOf(manager.clientOf(later).users.list({}))).toBe('none');
});

test('where no manager was there is nothing to rescue', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'sbox-rescue-'));
  expect(await codeOf(openRescue(directory))).toBe('file.not-found');
  await rm(directory, { recursive: true });
});
