import { isoTime, ProblemError, type Clock, type NewId } from '@sbox/core';
import type { Caller } from '@sbox/daemon/serve';
import { areWithin, permissionsOfRole, readBounds, type Bounds, type Permission, type RoleName } from '@sbox/protocol';
import { boundsToGive } from '../../access/bounds.ts';
import { refuseBeyond } from '../../access/grant.ts';
import { sessionTimes } from '../../access/sessions.ts';
import { readPage, toPage, type PageQuery } from '../../database/page.ts';
import type { Repositories, Store } from '../../database/store.ts';
import { checkRevision } from '../if-match.ts';
import type { Passwords } from './passwords.ts';
import type { Identity } from './identities-repository.ts';
import { hasTotp } from './totp.ts';
import type { User } from './users-repository.ts';

export interface UsersDeps {
  readonly store: Store;
  readonly passwords: Passwords;
  readonly clock: Clock;
  readonly newId: NewId;
  /** Of the identity provider, where there is one. */
  readonly issuer?: string | undefined;
}

export interface NewUser {
  readonly name: string;
  readonly display_name: string;
  /** One of these. */
  readonly password?: string | undefined;
  readonly subject?: string | undefined;
  readonly role: RoleName;
  readonly bounds: Bounds | null;
}

export interface UserPatch {
  readonly name?: string | undefined;
  readonly display_name?: string | null | undefined;
  readonly role?: RoleName | undefined;
  readonly disabled?: boolean | undefined;
  readonly bounds?: Bounds | null | undefined;
}

export type UsersService = ReturnType<typeof createUsersService>;

/**
 * People and what they may do. Whoever gives permissions holds them: with a role, with a password, by letting somebody
 * in again; a name is changed by who holds as much. To take them away, `people:write` is enough; only the last admin stays.
 */
export function createUsersService({ store, passwords, clock, newId, issuer }: UsersDeps) {
  const now = (): string => isoTime(clock.now());
  const view = async (users: readonly User[]) => await viewUsers(store, users, clock.now());
  const viewOne = async (id: string) => (await view([await findUser(store, id)]))[0] as ReturnType<typeof describe>;

  return {
    async list(query: PageQuery) {
      const page = readPage(query);
      const { items, next_cursor } = toPage(await store.users.list(page), page.limit, ({ name }) => [name]);
      return { items: await view(items), next_cursor };
    },
    get: viewOne,
    async create({ password, subject, bounds, ...given }: NewUser, caller: Caller) {
      refuseBeyond(caller, permissionsOfRole(given.role), `make a user with the role ${given.role}`);
      const held = boundsToGive(caller, bounds ?? undefined, `make the user ${given.name}`);
      const identity = subject === undefined ? undefined : { issuer: issuerOf(issuer), subject };
      const password_hash = password === undefined ? noPassword : await passwords.hash(password);
      const user = newUser({ ...given, bounds: held, id: newId('usr'), password_hash, at: now() });
      await store.transaction(async (tx) => await insertUser(tx, user, identity));
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
        if (user.password_hash === noPassword)
          throw new ProblemError('user.no-password', `${user.name} logs in by an identity provider`);
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

/** Of people who come from an identity provider; no password has this hash. */
export const noPassword = '';

function issuerOf(issuer: string | undefined): string {
  if (issuer !== undefined) return issuer;
  throw new ProblemError('oidc.off', 'there is no identity provider that could know this user');
}

type Known = Pick<Identity, 'issuer' | 'subject'>;

/** A person, and who they are at the identity provider, if they come from there. */
export async function insertUser(tx: Repositories, user: User, known: Known | undefined): Promise<void> {
  await refuseTaken(tx, user.name);
  if (known) await refuseKnown(tx, known);
  await tx.users.insert(user);
  if (known) await tx.identities.insert({ ...known, user_id: user.id, created_at: user.created_at });
  await tx.events.add('user.created', { user_id: user.id, name: user.name, role: user.role });
}

async function refuseKnown({ identities }: Repositories, given: Known): Promise<void> {
  const known = await identities.find(given.issuer, given.subject);
  if (known) throw new ProblemError('user.exists', `${known.user_id} is that person at ${given.issuer}`);
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
  if (patch.bounds) boundsToGive(caller, patch.bounds, `give ${user.name} so much`);
  if (changes.name !== undefined) {
    // A name that is free again could be taken by somebody who holds less, and would stand in the log for the first one.
    refuseBeyond(caller, permissionsOfRole(user.role), `give ${user.name} another name`);
    await refuseTaken(tx, changes.name);
  }
  const next = { ...user, ...changes };
  if (!staysAdmin(next)) await keepAnAdmin(tx, user);
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
}: Pick<User, 'id' | 'name' | 'display_name' | 'password_hash' | 'role'> &
  Partial<Pick<User, 'bounds'>> & { readonly at: string }): User => ({
  bounds: null,
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

/** An admin who is held to something cannot look after everybody. */
const staysAdmin = ({ role, disabled_at, bounds }: User): boolean =>
  role === 'admin' && disabled_at === null && bounds === null;

export const isLastAdmin = async ({ users }: Pick<Repositories, 'users'>, user: User): Promise<boolean> =>
  staysAdmin(user) && (await users.countOthers('admin', user.id)) === 0;

/** Called before the user stops being an admin who may come in. */
async function keepAnAdmin(tx: Repositories, user: User): Promise<void> {
  if (!(await isLastAdmin(tx, user))) return;
  throw new ProblemError('user.last-admin', `${user.name} is the last admin who may come in`);
}

type Changes = Partial<Pick<User, 'name' | 'display_name' | 'role' | 'disabled_at' | 'bounds'>>;

/** Only what is another value than now. */
function changesOf(user: User, { name, display_name, role, disabled, bounds }: UserPatch, at: string): Changes {
  const stored = bounds === undefined || bounds === null ? null : JSON.stringify(bounds);
  const isDisabled = user.disabled_at !== null;
  return {
    ...(name === undefined || name === user.name ? {} : { name }),
    ...(display_name === undefined || (display_name ?? '') === user.display_name
      ? {}
      : { display_name: display_name ?? '' }),
    ...(role === undefined || role === user.role ? {} : { role }),
    ...(disabled === undefined || disabled === isDisabled ? {} : { disabled_at: disabled ? at : null }),
    ...(bounds === undefined || stored === user.bounds ? {} : { bounds: stored }),
  };
}

/** What the user may do afterwards and not now. */
function added(user: User, changes: Changes): Permission[] {
  const next = { ...user, ...changes };
  // In more places is more, too.
  if (!areWithin(readBounds(next.bounds), readBounds(user.bounds))) return [...permissionsOfRole(next.role)];
  if (next.disabled_at !== null) return [...permissionsOfRole(changes.role ?? '')];
  const had = user.disabled_at === null ? permissionsOfRole(user.role) : new Set<Permission>();
  return [...permissionsOfRole(next.role)].filter((permission) => !had.has(permission));
}

/** As they are shown, with what is known of them elsewhere. */
async function viewUsers(store: Store, users: readonly User[], nowMs: number) {
  const open = await store.sessions.count(
    users.map(({ id }) => id),
    sessionTimes(nowMs),
  );
  const locked = await store.guesses.lockedUntil(
    users.map(({ id }) => id),
    isoTime(nowMs),
  );
  const identities = await store.identities.of(users.map(({ id }) => id));
  return users.map((user) =>
    describe(user, {
      sessions: open.get(user.id) ?? 0,
      locked_until: locked.get(user.id) ?? null,
      identity: identities.get(user.id),
    }),
  );
}

interface Around {
  readonly sessions: number;
  readonly locked_until: string | null;
  readonly identity: Identity | undefined;
}

const describe = (user: User, { sessions, locked_until, identity }: Around) => {
  return {
    id: user.id,
    name: user.name,
    display_name: user.display_name,
    role: user.role,
    bounds: user.bounds === null ? null : (JSON.parse(user.bounds) as Bounds),
    identity: identity ? { issuer: identity.issuer, subject: identity.subject } : null,
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
