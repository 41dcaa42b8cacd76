import type { Kysely } from 'kysely';
import type { PageRequest } from '../../database/page.ts';
import type { Row, Tables, UserRow } from '../../database/schema.ts';
import { omit } from '../../omit.ts';

export type User = Omit<UserRow, 'tenant_id'>;

/** People of one tenant. */
export interface UsersRepository {
  insert(user: User): Promise<void>;
  /** By id or by name. */
  find(idOrName: string): Promise<User | undefined>;
  /** By name; `after` is [name]. */
  list(page: PageRequest): Promise<User[]>;
  update(id: string, changes: Partial<Omit<User, 'id'>>): Promise<void>;
  remove(id: string): Promise<void>;
  /** Users with a role that are not disabled and held to nothing, without this one. */
  countOthers(role: string, id: string): Promise<number>;
}

export function createUsersRepository(db: Kysely<Tables>, tenant_id: string): UsersRepository {
  const select = () => db.selectFrom('users').selectAll().where('tenant_id', '=', tenant_id);
  const plain = (row: Row<'users'>): User => omit(row, 'tenant_id');
  return {
    async insert(user) {
      await db
        .insertInto('users')
        .values({ ...user, tenant_id })
        .execute();
    },
    async find(idOrName) {
      const rows = await select()
        .where((where) => where.or([where('id', '=', idOrName), where('name', '=', idOrName)]))
        .execute();
      // A name that looks like an id must not stand for somebody else's.
      const row = rows.find(({ id }) => id === idOrName) ?? rows[0];
      return row && plain(row);
    },
    async list({ limit, after }) {
      let query = select()
        .orderBy('name')
        .limit(limit + 1);
      if (after) query = query.where('name', '>', String(after[0]));
      return (await query.execute()).map(plain);
    },
    async update(id, changes) {
      await db.updateTable('users').set(changes).where('tenant_id', '=', tenant_id).where('id', '=', id).execute();
    },
    async remove(id) {
      await db.deleteFrom('users').where('tenant_id', '=', tenant_id).where('id', '=', id).execute();
    },
    async countOthers(role, id) {
      const { others } = await db
        .selectFrom('users')
        .select(({ fn }) => fn.countAll<number>().as('others'))
        .where('tenant_id', '=', tenant_id)
        .where('role', '=', role)
        .where('disabled_at', 'is', null)
        .where('bounds', 'is', null)
        .where('id', '!=', id)
        .executeTakeFirstOrThrow();
      return others;
    },
  };
}
