import type { Kysely } from 'kysely';
import type { SessionRow, Tables } from '../../database/schema.ts';
import { omit } from '../../omit.ts';

export type Session = Omit<SessionRow, 'tenant_id'>;

/** A session with the person whose it is. */
export interface OwnedSession extends Session {
  readonly name: string;
  readonly role: string;
  readonly disabled_at: string | null;
  /** Empty for who comes from an identity provider. */
  readonly password_hash: string;
  readonly totp_recovery: string | null;
  readonly bounds: string | null;
}

/** A session is over at `now`, or when it was not used since `idleSince`. */
export interface SessionTimes {
  readonly now: string;
  readonly idleSince: string;
}

/** Open sessions of one tenant; only digests of their secrets. */
export interface SessionsRepository {
  insert(session: Session): Promise<void>;
  findBySecret(secretSha256: string): Promise<OwnedSession | undefined>;
  /** Open ones by user. */
  count(userIds: readonly string[], times: SessionTimes): Promise<ReadonlyMap<string, number>>;
  touch(id: string, at: string): Promise<void>;
  /** Another secret, for who has shown once more who they are. */
  renew(id: string, secretSha256: string, provenAt: string): Promise<void>;
  /** False when it was gone already. */
  remove(id: string): Promise<boolean>;
  removeOf(userId: string): Promise<void>;
  /** Leaves a user the newest ones. */
  removeBeyond(userId: string, kept: number): Promise<void>;
  /** Removes at most `limit` that are over. */
  removeOver(times: SessionTimes, limit: number): Promise<void>;
}

export function createSessionsRepository(db: Kysely<Tables>, tenant_id: string): SessionsRepository {
  const remove = () => db.deleteFrom('sessions').where('tenant_id', '=', tenant_id);
  return {
    async insert(session) {
      await db
        .insertInto('sessions')
        .values({ ...session, tenant_id })
        .execute();
    },
    findBySecret: async (secretSha256) => await findBySecret(db, tenant_id, secretSha256),
    async count(userIds, { now, idleSince }) {
      if (userIds.length === 0) return new Map();
      const rows = await db
        .selectFrom('sessions')
        .select(({ fn }) => ['user_id', fn.countAll<number>().as('open')])
        .where('tenant_id', '=', tenant_id)
        .where('user_id', 'in', userIds)
        .where('expires_at', '>', now)
        .where('seen_at', '>', idleSince)
        .groupBy('user_id')
        .execute();
      return new Map(rows.map(({ user_id, open }) => [user_id, open]));
    },
    async touch(id, at) {
      await db
        .updateTable('sessions')
        .set({ seen_at: at })
        .where('tenant_id', '=', tenant_id)
        .where('id', '=', id)
        .execute();
    },
    async renew(id, secret_sha256, proven_at) {
      await db
        .updateTable('sessions')
        .set({ secret_sha256, proven_at, seen_at: proven_at })
        .where('tenant_id', '=', tenant_id)
        .where('id', '=', id)
        .execute();
    },
    async remove(id) {
      const { numDeletedRows } = await remove().where('id', '=', id).executeTakeFirst();
      return numDeletedRows > 0n;
    },
    async removeOf(userId) {
      await remove().where('user_id', '=', userId).execute();
    },
    async removeBeyond(userId, kept) {
      const newest = db
        .selectFrom('sessions')
        .select('id')
        .where('tenant_id', '=', tenant_id)
        .where('user_id', '=', userId)
        .orderBy('created_at', 'desc')
        .orderBy('id')
        .limit(kept);
      await remove().where('user_id', '=', userId).where('id', 'not in', newest).execute();
    },
    async removeOver({ now, idleSince }, limit) {
      const over = db
        .selectFrom('sessions')
        .select('id')
        .where('tenant_id', '=', tenant_id)
        .where((where) => where.or([where('expires_at', '<=', now), where('seen_at', '<=', idleSince)]))
        .limit(limit);
      await remove().where('id', 'in', over).execute();
    },
  };
}

async function findBySecret(
  db: Kysely<Tables>,
  tenant_id: string,
  secretSha256: string,
): Promise<OwnedSession | undefined> {
  const row = await db
    .selectFrom('sessions')
    .innerJoin('users', (join) =>
      join.onRef('users.tenant_id', '=', 'sessions.tenant_id').onRef('users.id', '=', 'sessions.user_id'),
    )
    .selectAll('sessions')
    .select([
      'users.name',
      'users.role',
      'users.disabled_at',
      'users.bounds',
      'users.password_hash',
      'users.totp_recovery',
    ])
    .where('sessions.tenant_id', '=', tenant_id)
    .where('sessions.secret_sha256', '=', secretSha256)
    .executeTakeFirst();
  return row && omit(row, 'tenant_id');
}
