import type { Kysely } from 'kysely';
import type { PageRequest } from '../database/page.ts';
import type { Row, Tables } from '../database/schema.ts';

export type TokenRecord = Row<'access_tokens'>;

/** What is stored when a token is made; the tenant is the repository's. */
type NewToken = Omit<TokenRecord, 'tenant_id' | 'last_used_at' | 'revoked_at'>;

/** A token with who its owner is and what they may do; null where it has none, or none any more. */
export interface OwnedToken extends TokenRecord {
  readonly owner_name: string | null;
  readonly owner_role: string | null;
  readonly owner_disabled_at: string | null;
  readonly owner_bounds: string | null;
}

/** Access tokens of one tenant; only digests of their secrets. */
export interface TokensRepository {
  insert(token: NewToken): Promise<void>;
  /** Revoked and expired ones too: the caller says why it refuses. */
  find(id: string): Promise<OwnedToken | undefined>;
  /** Not revoked, newest first; one row more than the limit when there is a next page. */
  list(page: PageRequest): Promise<readonly OwnedToken[]>;
  /** Not revoked and not expired. */
  listUsable(now: string): Promise<readonly TokenRecord[]>;
  touch(id: string, at: string): Promise<void>;
  /** The token, unless there is none that could still be revoked. */
  revoke(id: string, at: string): Promise<TokenRecord | undefined>;
  /** Revokes all that belong to a person. */
  revokeOf(userId: string, at: string): Promise<void>;
  /** Leaves a person, of the tokens with this name that are good, the newest and those that were used last. */
  revokeBeyond(
    userId: string,
    these: { readonly name: string; readonly newest: string; readonly kept: number; readonly now: string },
  ): Promise<void>;
  /** Forgets at most `limit` that were revoked or expired before a time. */
  removeDead(before: string, limit: number): Promise<void>;
}

export function createTokensRepository(db: Kysely<Tables>, tenantId: string): TokensRepository {
  const select = () => db.selectFrom('access_tokens').selectAll().where('tenant_id', '=', tenantId);
  const owned = () => ownedTokens(db, tenantId);
  const update = () => db.updateTable('access_tokens').where('tenant_id', '=', tenantId);
  return {
    async insert(token) {
      await db
        .insertInto('access_tokens')
        .values({ ...token, tenant_id: tenantId, last_used_at: null, revoked_at: null })
        .execute();
    },
    find: async (id) => await owned().where('access_tokens.id', '=', id).executeTakeFirst(),
    async list({ limit, after }) {
      const [createdAt, id] = (after ?? []) as readonly string[];
      return await owned()
        .where('revoked_at', 'is', null)
        .$if(createdAt !== undefined && id !== undefined, (query) =>
          query.where((where) =>
            where(
              where.refTuple('access_tokens.created_at', 'access_tokens.id'),
              '<',
              where.tuple(createdAt ?? '', id ?? ''),
            ),
          ),
        )
        .orderBy('access_tokens.created_at', 'desc')
        .orderBy('access_tokens.id', 'desc')
        .limit(limit + 1)
        .execute();
    },
    listUsable: async (now) =>
      await select()
        .where('revoked_at', 'is', null)
        .where((where) => where.or([where('expires_at', 'is', null), where('expires_at', '>', now)]))
        .execute(),
    async touch(id, at) {
      await update().where('id', '=', id).set({ last_used_at: at }).execute();
    },
    ...revocationsOf(db, tenantId),
    async removeDead(before, limit) {
      const dead = db
        .selectFrom('access_tokens')
        .select('id')
        .where('tenant_id', '=', tenantId)
        .where((where) => where.or([where('revoked_at', '<', before), where('expires_at', '<', before)]))
        .limit(limit);
      await db.deleteFrom('access_tokens').where('tenant_id', '=', tenantId).where('id', 'in', dead).execute();
    },
  };
}

type Revocations = Pick<TokensRepository, 'revoke' | 'revokeOf' | 'revokeBeyond'>;

function revocationsOf(db: Kysely<Tables>, tenantId: string): Revocations {
  const update = () => db.updateTable('access_tokens').where('tenant_id', '=', tenantId);
  return {
    revoke: async (id, at) =>
      await update()
        .where('id', '=', id)
        .where('revoked_at', 'is', null)
        .set({ revoked_at: at })
        .returningAll()
        .executeTakeFirst(),
    async revokeOf(userId, at) {
      await update().where('user_id', '=', userId).where('revoked_at', 'is', null).set({ revoked_at: at }).execute();
    },
    async revokeBeyond(userId, { name, newest, kept, now }) {
      const good = db
        .selectFrom('access_tokens')
        .select('id')
        .where('tenant_id', '=', tenantId)
        .where('user_id', '=', userId)
        .where('name', '=', name)
        .where('id', '!=', newest)
        .where('revoked_at', 'is', null)
        .where((where) => where.or([where('expires_at', 'is', null), where('expires_at', '>', now)]));
      const used = good
        .orderBy((order) => order.fn.coalesce('last_used_at', 'created_at'), 'desc')
        .orderBy('id', 'desc')
        .limit(kept - 1);
      await update().where('id', 'in', good).where('id', 'not in', used).set({ revoked_at: now }).execute();
    },
  };
}

/** Tokens with their owners. */
const ownedTokens = (db: Kysely<Tables>, tenantId: string) =>
  db
    .selectFrom('access_tokens')
    .leftJoin('users', (join) =>
      join.onRef('users.tenant_id', '=', 'access_tokens.tenant_id').onRef('users.id', '=', 'access_tokens.user_id'),
    )
    .selectAll('access_tokens')
    .select([
      'users.name as owner_name',
      'users.role as owner_role',
      'users.disabled_at as owner_disabled_at',
      'users.bounds as owner_bounds',
    ])
    .where('access_tokens.tenant_id', '=', tenantId);
