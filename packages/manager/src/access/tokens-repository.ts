import type { Kysely } from 'kysely';
import type { PageRequest } from '../database/page.ts';
import type { Row, Tables } from '../database/schema.ts';

export type TokenRecord = Row<'access_tokens'>;
/** What is stored when a token is made; the tenant is the repository's. */
type NewToken = Omit<TokenRecord, 'tenant_id' | 'last_used_at' | 'revoked_at'>;

/** Access tokens of one tenant; only digests of their secrets. */
export interface TokensRepository {
  insert(token: NewToken): Promise<void>;
  /** Revoked and expired ones too: the caller says why it refuses. */
  find(id: string): Promise<TokenRecord | undefined>;
  /** Not revoked, newest first; one row more than the limit when there is a next page. */
  list(page: PageRequest): Promise<readonly TokenRecord[]>;
  /** Not revoked and not expired. */
  listUsable(now: string): Promise<readonly TokenRecord[]>;
  touch(id: string, at: string): Promise<void>;
  /** False when there is no such token, or none that could still be revoked. */
  revoke(id: string, at: string): Promise<boolean>;
}

export function createTokensRepository(db: Kysely<Tables>, tenantId: string): TokensRepository {
  const select = () => db.selectFrom('access_tokens').selectAll().where('tenant_id', '=', tenantId);
  const update = (id: string) => db.updateTable('access_tokens').where('tenant_id', '=', tenantId).where('id', '=', id);

  return {
    async insert(token) {
      await db
        .insertInto('access_tokens')
        .values({ ...token, tenant_id: tenantId, last_used_at: null, revoked_at: null })
        .execute();
    },
    find: async (id) => await select().where('id', '=', id).executeTakeFirst(),
    async list({ limit, after }) {
      const [createdAt, id] = (after ?? []) as readonly string[];
      return await select()
        .where('revoked_at', 'is', null)
        .$if(createdAt !== undefined && id !== undefined, (query) =>
          query.where((where) =>
            where(where.refTuple('created_at', 'id'), '<', where.tuple(createdAt ?? '', id ?? '')),
          ),
        )
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(limit + 1)
        .execute();
    },
    listUsable: async (now) =>
      await select()
        .where('revoked_at', 'is', null)
        .where((where) => where.or([where('expires_at', 'is', null), where('expires_at', '>', now)]))
        .execute(),
    async touch(id, at) {
      await update(id).set({ last_used_at: at }).execute();
    },
    async revoke(id, at) {
      const { numUpdatedRows } = await update(id)
        .set({ revoked_at: at })
        .where('revoked_at', 'is', null)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },
  };
}
