import { expect, test } from '@jest/globals';
import { createFakeClock, createNewId, type ProblemError } from '@sbox/core';
import { randomBytes } from '@sbox/daemon/keys';
import { openDatabase } from '../database/open-database.ts';
import { createStore } from '../database/store.ts';
import { createLogin } from '../features/people/login.ts';
import { createPasswords } from '../features/people/passwords.ts';
import { newUser } from '../features/people/users-service.ts';
import { createSessionAuthenticator, sessionTimes } from './sessions.ts';

const minuteMs = 60_000;
const password = 'quite a long password';

async function openDoor() {
  const { db, ...database } = await openDatabase(':memory:');
  const [clock, newId] = [createFakeClock(), createNewId(randomBytes)];
  const store = createStore({ db, clock, newId, published: () => {} });
  const passwords = createPasswords(randomBytes, { ln: 8, r: 8, p: 1 });
  const password_hash = await passwords.hash(password);
  const at = '2026-01-01T00:00:00.000Z';
  await store.users.insert(newUser({ id: 'usr_1', name: 'anna', display_name: '', role: 'viewer', password_hash, at }));
  const login = createLogin({ store, passwords, clock, newId, randomBytes });
  const authenticate = createSessionAuthenticator({ ...store, clock, trustedProxies: [] });
  const open = async (): Promise<string> =>
    (await login.openSession({ name: 'anna', password }, { remoteAddress: '127.0.0.1', userAgent: 'x'.repeat(500) }))
      .secret;
  const ask = async (secret: string, headers: Record<string, string> = {}): Promise<string> => {
    const cookie = `sbox-dev=${secret}`;
    try {
      const caller = await authenticate({
        method: 'GET',
        path: '/',
        headers: { host: 'localhost', cookie, ...headers },
        readBody: async () => await Promise.reject(new Error('nobody may read this body')),
        remoteAddress: '127.0.0.1',
      });
      return caller?.name ?? 'nobody';
    } catch (error) {
      return (error as ProblemError).code;
    }
  };
  return { store, clock, open, ask, [Symbol.asyncDispose]: database[Symbol.asyncDispose] };
}

test('a session ends after half an hour without use, and after twelve hours', async () => {
  await using door = await openDoor();
  const { clock, open, ask, store } = door;
  const [idle, used] = [await open(), await open()];
  await clock.advance(29 * minuteMs);
  expect([await ask(idle), await ask(used)]).toEqual(['anna', 'anna']);
  await clock.advance(29 * minuteMs);
  expect(await ask(used)).toBe('anna');
  await clock.advance(2 * minuteMs);
  expect([await ask(idle), await ask(used)]).toEqual(['auth.session-ended', 'anna']);
  for (let spentMs = 60 * minuteMs; spentMs < 720 * minuteMs; spentMs += 20 * minuteMs) {
    expect(await ask(used)).toBe('anna');
    await clock.advance(20 * minuteMs);
  }
  expect(await ask(used)).toBe('auth.session-ended');
  await store.sessions.removeOver(sessionTimes(clock.now()), 10);
  expect(await store.sessions.count(['usr_1'], { now: '', idleSince: '' })).toEqual(new Map());
});

test('an unknown cookie is refused, and a token goes before the cookie', async () => {
  await using door = await openDoor();
  const secret = await door.open();
  expect(await door.ask('x'.repeat(43))).toBe('auth.session-ended');
  expect(await door.ask(secret, { authorization: 'Bearer x' })).toBe('nobody');
  expect(await door.ask(secret)).toBe('anna');
});

test('a person keeps the fifty newest sessions', async () => {
  await using door = await openDoor();
  const first = await door.open();
  for (let opened = 0; opened < 50; opened += 1) {
    await door.clock.advance(1000);
    await door.open();
  }
  expect(await door.ask(first)).toBe('auth.session-ended');
  expect((await door.store.sessions.count(['usr_1'], sessionTimes(door.clock.now()))).get('usr_1')).toBe(50);
});
