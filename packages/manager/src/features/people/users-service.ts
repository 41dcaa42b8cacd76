import { isoTime, ProblemError, type Clock, type NewId } from '@sbox/core';
import type { Caller } from '@sbox/daemon/serve';
import { permissionsOfRole, type Permission, type RoleName } from '@sbox/protocol';
import { refuseBeyond } from '../../access/grant.ts';
import { sessionTimes } from '../../access/sessions.ts';
import { readPage, toPage, type PageQuery } from '../../database/page.ts';
import type { Repositories, Store } from '../../database/store.ts';
import { checkRevision } from '../if-match.ts';
import type { Passwords } from './passwords.ts';
import { hasTotp } from './totp.ts';
import type { User } from './users-repository.ts';

export interface UsersDeps {
  readonly store: Store;
  readonly passwords: Passwords;
  readonly clock: Clock;
  readonly newId: NewId;
}

export interface NewUser {
  readonly name: string;
  readonly display_name: string;
  readonly password: string;
  readonly role: RoleName;
}

export interface UserPatch {
  readonly name?: string | undefined;
  readonly display_name?: string | null | undefined;
  readonly role?: RoleName | undefined;
  readonly disabled?: boolean | undefined;
}

export type UsersService = ReturnType<typeof createUsersService>;

/**
 * People and what they may do. Whoever gives permissions holds them: with a role, with a password, by letting somebody
 * in again; a name is changed by who holds as much. To take them away, `people:write` is enough; only the last admin stays.
 */
export function createUsersService({ store, passwords, clock, newId }: UsersDeps) {
  const now = (): string => isoTime(clock.now());
  const view = async (users: readonly User[]) => {
    const open = await store.sessions.count(
      users.map(({ id }) => id),
      sessionTimes(clock.now()),
    );
    const locked = await store.guesses.lockedUntil(
      users.map(({ id }) => id),
      now(),
    );
    return users.map((user) => describe(user, open.get(user.id) ?? 0, locked.get(user.id) ?? null));
  };
  const viewOne = async (id: string) => (await view([await findUser(store, id)]))[0] as ReturnType<typeof describe>;

  return {
    async list(query: PageQuery) {
      const page = readPage(query);
      const { items, next_cursor } = toPage(await store.users.list(page), page.limit, ({ name }) => [name]);
      return { items: await view(items), next_cursor };
    },
    get: viewOne,
    async create({ password, ...given }: NewUser, caller: Caller) {
      refuseBeyond(caller, permissionsOfRole(given.role), `make a user with the role ${given.role}`);
      const user = newUser({ ...given, id: newId('usr'), password_hash: await passwords.hash(password), at: now() });
      await store.transaction(async (tx) => {
        await refuseTaken(tx, given.name);
        await tx.users.insert(user);
        await tx.events.add('user.created', { user_id: user.id, name: user.name, role: user.role });
      });
      return await viewOne(user.id);
    },
    async update(id: string, ifMatch: string, patch: UserPatch, caller: Caller) {
      const userId = await store.transaction(
        async (tx) => await changeUser(tx, id, { ifMatch, patch, caller, at: now() }),
      );
      return await viewOne(userId);
    },
    async setPassword(id: string, password: string, caller: Caller): Promise<void> {
      const hash = await passwords.hash(password);
      await store.transaction(async (tx) => {
        const user = await findUser(tx, id);
        refuseBeyond(caller, permissionsOfRole(user.role), `take the place of ${user.name}`);
        await changePassword(tx, user, hash, now());
      });
    },
    async removeTotp(id: string, caller: Caller): Promise<void> {
      await store.transaction(async (tx) => {
        const user = await findUser(tx, id);
        refuseBeyond(caller, permissionsOfRole(user.role), `take the place of ${user.name}`);
        await changeTotp(tx, user, { totp_secret: null, totp_recovery: null }, now());
      });
    },
    async remove(id: string, ifMatch: string): Promise<void> {
      await store.transaction(async (tx) => {
        const user = await findUser(tx, id);
        checkRevision(ifMatch, user.revision);
        await keepAnAdmin(tx, user);
        await tx.tokens.revokeOf(user.id, now());
        await tx.users.remove(user.id);
        await tx.events.add('user.removed', { user_id: user.id, name: user.name });
      });
    },
  };
}

interface UserChange {
  readonly ifMatch: string;
  readonly patch: UserPatch;
  readonly caller: Caller;
  readonly at: string;
}

/** @returns the id of the user, who may have another name now */
async function changeUser(tx: Repositories, id: string, { ifMatch, patch, caller, at }: UserChange): Promise<string> {
  const user = await findUser(tx, id);
  checkRevision(ifMatch, user.revision);
  const changes = changesOf(user, patch, at);
  const changed = Object.keys(changes).map((field) => (field === 'disabled_at' ? 'disabled' : field));
  if (changed.length === 0) return user.id;
  refuseBeyond(caller, added(user, changes), `give ${user.name} so much`);
  if (changes.name !== undefined) {
    // A name that is free again could be taken by somebody who holds less, and would stand in the log for the first one.
    refuseBeyond(caller, permissionsOfRole(user.role), `give ${user.name} another name`);
    await refuseTaken(tx, changes.name);
  }
  const next = { ...user, ...changes };
  if (next.role !== 'admin' || next.disabled_at !== null) await keepAnAdmin(tx, user);
  await tx.users.update(user.id, { ...changes, revision: user.revision + 1, updated_at: at });
  if ('role' in changes || 'disabled_at' in changes) await tx.sessions.removeOf(user.id);
  await tx.events.add('user.changed', { user_id: user.id, name: next.name, role: next.role, changed });
  return user.id;
}

/** Who knew the old password is out: sessions end, and personal tokens are revoked. */
export async function changePassword(tx: Repositories, user: User, password_hash: string, at: string): Promise<void> {
  await tx.users.update(user.id, { password_hash, revision: user.revision + 1, updated_at: at });
  await tx.guesses.forget(user.id);
  await tx.sessions.removeOf(user.id);
  await tx.tokens.revokeOf(user.id, at);
  await tx.events.add('user.changed', { user_id: user.id, name: user.name, role: user.role, changed: ['password'] });
}

/** What a code would be asked of, or no longer. */
export async function changeTotp(
  tx: Repositories,
  user: User,
  changes: Partial<Pick<User, 'totp_secret' | 'totp_last_step' | 'totp_recovery'>>,
  at: string,
): Promise<void> {
  await tx.users.update(user.id, { ...changes, revision: user.revision + 1, updated_at: at });
  await tx.events.add('user.changed', { user_id: user.id, name: user.name, role: user.role, changed: ['totp'] });
}

/** A person as they are stored first. */
export const newUser = ({
  at,
  ...given
}: Pick<User, 'id' | 'name' | 'display_name' | 'password_hash' | 'role'> & { readonly at: string }): User => ({
  ...given,
  totp_secret: null,
  totp_last_step: null,
  totp_recovery: null,
  disabled_at: null,
  seen_at: null,
  revision: 1,
  created_at: at,
  updated_at: at,
});

async function findUser({ users }: Pick<Repositories, 'users'>, id: string): Promise<User> {
  const user = await users.find(id);
  if (user) return user;
  throw new ProblemError('user.not-found', `there is no user ${id}`);
}

async function refuseTaken({ users }: Repositories, name: string): Promise<void> {
  if (await users.find(name)) throw new ProblemError('user.exists', `user ${name} exists`);
}

/** Called before the user stops being an admin who may come in. */
async function keepAnAdmin({ users }: Repositories, user: User): Promise<void> {
  if (user.role !== 'admin' || user.disabled_at !== null || (await users.countOthers('admin', user.id)) > 0) return;
  throw new ProblemError('user.last-admin', `${user.name} is the last admin who may come in`);
}

type Changes = Partial<Pick<User, 'name' | 'display_name' | 'role' | 'disabled_at'>>;

/** Only what is another value than now. */
function changesOf(user: User, { name, display_name, role, disabled }: UserPatch, at: string): Changes {
  const isDisabled = user.disabled_at !== null;
  return {
    ...(name === undefined || name === user.name ? {} : { name }),
    ...(display_name === undefined || (display_name ?? '') === user.display_name
      ? {}
      : { display_name: display_name ?? '' }),
    ...(role === undefined || role === user.role ? {} : { role }),
    ...(disabled === undefined || disabled === isDisabled ? {} : { disabled_at: disabled ? at : null }),
  };
}

/** What the user may do afterwards and not now. */
function added(user: User, changes: Changes): Permission[] {
  const next = { ...user, ...changes };
  if (next.disabled_at !== null) return [...permissionsOfRole(changes.role ?? '')];
  const had = user.disabled_at === null ? permissionsOfRole(user.role) : new Set<Permission>();
  return [...permissionsOfRole(next.role)].filter((permission) => !had.has(permission));
}

const describe = (user: User, sessions: number, locked_until: string | null) => {
  return {
    id: user.id,
    name: user.name,
    display_name: user.display_name,
    role: user.role,
    totp: hasTotp(user),
    disabled_at: user.disabled_at,
    locked_until,
    seen_at: user.seen_at,
    sessions,
    revision: user.revision,
    created_at: user.created_at,
    updated_at: user.updated_at,
  };
};
