import { access } from 'node:fs/promises';
import path from 'node:path';
import { createNewId, isoTime, ProblemError, systemClock } from '@sbox/core';
import { randomBytes } from '@sbox/daemon/keys';
import { makeToken } from './access/tokens.ts';
import { lockDataDirectory } from './data-lock.ts';
import { openDatabase } from './database/open-database.ts';
import { createStore, type Repositories, type Store } from './database/store.ts';
import { createActing } from './features/audit/acting.ts';
import { createPasswords } from './features/people/passwords.ts';
import { changePassword } from './features/people/users-service.ts';
import type { User } from './features/people/users-repository.ts';

/** What can be done with the data alone, by who may read it. */
export interface Rescue extends AsyncDisposable {
  /** A token that may do everything. */
  token(ttlMs: number): Promise<{ readonly id: string; readonly token: string; readonly expires_at: string }>;
  /** Lets a person in again that is locked or disabled. */
  unlock(name: string): Promise<{ readonly name: string; readonly role: string }>;
  /** The same with another password and without an authenticator; ends sessions and personal tokens. */
  setPassword(name: string, password: string): Promise<{ readonly name: string; readonly role: string }>;
}

/**
 * Opens the data of a manager, beside one that runs as well. In the audit log the one who acts is `rescue`.
 * @throws ProblemError `file.not-found` where no manager was, `manager.running` beside one of another version
 */
export async function openRescue(dataDir: string): Promise<Rescue> {
  await using stack = new AsyncDisposableStack();
  const store = await openStore(path.resolve(dataDir), stack);
  const [clock, newId, acting] = [systemClock, createNewId(randomBytes), createActing()];
  const change = async <T>(routeId: string, run: (tx: Repositories) => Promise<T>): Promise<T> => {
    const caller = { kind: 'local', id: 'rescue', name: 'rescue', permissions: new Set<never>() } as const;
    const actor = { caller, remoteAddress: 'local', requestId: newId('req'), routeId, object: {} };
    return await acting.run(actor, async () => await store(acting).transaction(run));
  };
  const letIn = async (tx: Repositories, user: User, more: Partial<User> = {}) => {
    await tx.guesses.forget(user.id);
    await tx.users.update(user.id, {
      disabled_at: null,
      ...more,
      revision: user.revision + 1,
      updated_at: isoTime(clock.now()),
    });
    return { name: user.name, role: user.role };
  };
  const opened = stack.move();
  return {
    async token(ttlMs) {
      const { text, record } = makeToken(
        { clock, newId, randomBytes },
        { name: 'rescue', kind: 'svc', role: 'admin', ttlMs },
      );
      return await change('rescueToken', async (tx) => {
        await tx.tokens.insert(record);
        await tx.events.add('token.created', { token_id: record.id, name: record.name });
        return { id: record.id, token: text, expires_at: record.expires_at ?? '' };
      });
    },
    unlock: async (name) =>
      await change('rescueUser', async (tx) => {
        const user = await findUser(tx, name);
        const changed = ['unlocked', ...(user.disabled_at === null ? [] : ['disabled'])];
        await tx.events.add('user.changed', { user_id: user.id, name: user.name, role: user.role, changed });
        return await letIn(tx, user);
      }),
    async setPassword(name, password) {
      if (password.length < 12 || password.length > 256)
        throw new ProblemError('request.invalid', 'the password must have 12 to 256 characters');
      const hash = await createPasswords(randomBytes).hash(password);
      return await change('rescueUser', async (tx) => {
        const user = await findUser(tx, name);
        await changePassword(tx, user, hash, isoTime(clock.now()));
        return await letIn(tx, { ...user, revision: user.revision + 1 }, { totp_secret: null, totp_recovery: null });
      });
    },
    [Symbol.asyncDispose]: async () => await opened.disposeAsync(),
  };
}

async function openStore(directory: string, stack: AsyncDisposableStack) {
  const file = path.join(directory, 'sbox.db');
  await access(file).catch((cause: unknown) => {
    throw new ProblemError('file.not-found', `no manager was started on ${directory}`, { cause });
  });
  const lock = lockUnlessRunning(directory);
  if (lock) stack.use(lock);
  const { db, ...database } = await openDatabase(file, { isShared: lock === undefined });
  stack.use(database);
  return (acting: ReturnType<typeof createActing>): Store =>
    createStore({ db, clock: systemClock, newId: createNewId(randomBytes), published: () => {}, acting });
}

function lockUnlessRunning(directory: string): Disposable | undefined {
  try {
    return lockDataDirectory(directory);
  } catch (error) {
    if (error instanceof ProblemError && error.code === 'manager.running') return undefined;
    throw error;
  }
}

async function findUser({ users }: Repositories, name: string): Promise<User> {
  const user = await users.find(name);
  if (!user) throw new ProblemError('user.not-found', `there is no user ${name}`);
  return user;
}
