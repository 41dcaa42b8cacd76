import type { Labels } from '@sbox/protocol';
import type { Kysely } from 'kysely';
import type { JoinTokenRow, Tables } from '../../database/schema.ts';
import { omit } from '../../omit.ts';
import { newestFirst, type PageRequest } from '../../database/page.ts';
import type { Place } from '../assignments/meant.ts';

export interface JoinTokenRecord extends Omit<JoinTokenRow, 'tenant_id' | 'labels'> {
  labels: Labels;
}

export interface JoinTokensRepository {
  insertToken(token: JoinTokenRecord): Promise<void>;
  findToken(id: string): Promise<JoinTokenRecord | undefined>;
  /** Marks a token as used, if it was not: only one caller can get true. */
  burnToken(id: string, use: { used_at: string; used_keyid: string; server_id: string }): Promise<boolean>;
  /** Newest first; `after` is [created_at, id]. */
  listTokens(page: PageRequest): Promise<JoinTokenRecord[]>;
  removeToken(id: string): Promise<boolean>;
  /** Where those will stand that may still join. */
  tokenPlaces(now: string): Promise<Place[]>;
}

/** Texts that let servers join; the text itself is not kept. */
export function joinTokensOf(db: Kysely<Tables>, tenant_id: string): JoinTokensRepository {
  const tokens = () => db.selectFrom('join_tokens').selectAll().where('tenant_id', '=', tenant_id);
  const bare = (row: JoinTokenRow): JoinTokenRecord => ({
    ...omit(row, 'tenant_id'),
    labels: JSON.parse(row.labels) as Labels,
  });
  return {
    async tokenPlaces(now) {
      const rows = await db
        .selectFrom('join_tokens')
        .select(['id', 'name', 'labels', 'environment'])
        .where('tenant_id', '=', tenant_id)
        .where('used_at', 'is', null)
        .where('expires_at', '>', now)
        .execute();
      return rows.map(({ id, name, labels, environment }) => ({
        name: name ?? `who joins with ${id}`,
        labels: JSON.parse(labels) as Labels,
        environment,
      }));
    },
    async insertToken(token) {
      await db
        .insertInto('join_tokens')
        .values({ ...token, labels: JSON.stringify(token.labels), tenant_id })
        .execute();
    },
    async findToken(id) {
      const row = await tokens().where('id', '=', id).executeTakeFirst();
      return row && bare(row);
    },
    async burnToken(id, use) {
      const burned = await db
        .updateTable('join_tokens')
        .set(use)
        .where('tenant_id', '=', tenant_id)
        .where('id', '=', id)
        .where('used_at', 'is', null)
        .returning('id')
        .executeTakeFirst();
      return burned !== undefined;
    },
    async listTokens(page) {
      return (await newestFirst(tokens(), page).execute()).map(bare);
    },
    async removeToken(id) {
      const { numDeletedRows } = await db
        .deleteFrom('join_tokens')
        .where('tenant_id', '=', tenant_id)
        .where('id', '=', id)
        .executeTakeFirst();
      return numDeletedRows > 0n;
    },
  };
}
