import { expect, test } from '@jest/globals';
import { createFakeClock, createNewId, type FakeClock, type SboxEvent } from '@sbox/core';
import { randomBytes } from '@sbox/daemon/keys';
import { openDatabase } from '../../database/open-database.ts';
import { createStore } from '../../database/store.ts';
import { openPresence } from './presence.ts';
import type { Server } from './servers-repository.ts';

const offlineMs = 100_000;

async function openFleet(clock: FakeClock) {
  const database = await openDatabase(':memory:');
  const events: SboxEvent[] = [];
  const published = (some: readonly SboxEvent[]): void => void events.push(...some);
  const store = createStore({ db: database.db, clock, newId: createNewId(randomBytes), published });
  const add = async (id: string, agent: Server['agent']) => {
    const blank = {
      engines: [],
      labels: {},
      environment: null,
      revision: 1,
      seen_at: null,
      status: null,
      created_at: '2026-01-01T00:00:00.000Z',
    };
    await store.servers.insert({ id, name: id, agent, ...blank });
  };
  await add('srv', { version: '0.1.0', os: 'linux', arch: 'x64', host_name: 'srv' });
  await add('island', null);
  const types = () => events.splice(0).map(({ type }) => type);
  return { store, types, [Symbol.asyncDispose]: database[Symbol.asyncDispose] };
}

test('a server is online while it is heard of, and its coming and going are events', async () => {
  const clock = createFakeClock();
  await using fleet = await openFleet(clock);
  const presence = await openPresence(fleet.store, clock, offlineMs);
  expect([presence.isOnline('srv'), presence.isOnline('none'), presence.isIsland('island')]).toEqual([
    false,
    false,
    true,
  ]);
  presence.seen('srv');
  await presence.flush();
  expect([presence.isOnline('srv'), fleet.types()]).toEqual([true, ['server.online']]);
  await clock.advance(offlineMs);
  await presence.flush();
  expect([presence.isOnline('srv'), fleet.types()]).toEqual([true, []]);
  await clock.advance(1);
  await presence.flush();
  expect([presence.isOnline('srv'), fleet.types()]).toEqual([false, ['server.offline']]);
  await presence.flush();
  expect(fleet.types()).toEqual([]);
});

test('a manager that was away gives everybody who was online the time to come back', async () => {
  const clock = createFakeClock();
  await using fleet = await openFleet(clock);
  const before = await openPresence(fleet.store, clock, offlineMs);
  before.seen('srv');
  await before.flush();
  await clock.advance(86_400_000);
  fleet.types();
  const after = await openPresence(fleet.store, clock, offlineMs);
  await after.flush();
  expect([after.isOnline('srv'), after.isOnline('island'), fleet.types()]).toEqual([true, false, []]);
  await clock.advance(offlineMs + 1);
  await after.flush();
  expect([after.isOnline('srv'), fleet.types()]).toEqual([false, ['server.offline']]);
});
