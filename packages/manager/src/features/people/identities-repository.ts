import type { Kysely } from 'kysely';
import type { IdentityRow, Tables } from '../../database/schema.ts';
import { omit } from '../../omit.ts';

export type Identity = Omit<IdentityRow, 'tenant_id'>;

/** Who people of one tenant are at identity providers. A person has one at most. */
export interface IdentitiesRepository {
  insert(identity: Identity): Promise<void>;
  find(issuer: string, subject: string): Promise<Identity | undefined>;
  /** By user. */
  of(userIds: readonly string[]): Promise<ReadonlyMap<string, Identity>>;
}

export function createIdentitiesRepository(db: Kysely<Tables>, tenant_id: string): IdentitiesRepository {
  const select = () => db.selectFrom('identities').selectAll().where('tenant_id', '=', tenant_id);
  return {
    async insert(identity) {
      await db
        .insertInto('identities')
        .values({ ...identity, tenant_id })
        .execute();
    },
    async find(issuer, subject) {
      const row = await select().where('issuer', '=', issuer).where('subject', '=', subject).executeTakeFirst();
      return row && omit(row, 'tenant_id');
    },
    async of(userIds) {
      if (userIds.length === 0) return new Map();
      const rows = await select().where('user_id', 'in', userIds).execute();
      return new Map(rows.map((row) => [row.user_id, omit(row, 'tenant_id')]));
    },
  };
}
