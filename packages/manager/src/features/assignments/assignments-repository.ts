import type { Kysely } from 'kysely';
import type { PageRequest } from '../../database/page.ts';
import type { AssignmentRow, Tables } from '../../database/schema.ts';
import { omit } from '../../omit.ts';

export type Assignment = Omit<AssignmentRow, 'tenant_id'>;

/** What says which servers a config is for. */
export interface AssignmentsRepository {
  insert(assignment: Assignment): Promise<void>;
  find(idOrName: string): Promise<Assignment | undefined>;
  /** All of them, or those of a config, by name. */
  list(filter?: { readonly configId?: string }): Promise<Assignment[]>;
  /** By name; `after` is [name]. */
  page(page: PageRequest): Promise<Assignment[]>;
  update(id: string, changes: Partial<Omit<Assignment, 'id'>>): Promise<void>;
  remove(id: string): Promise<void>;
}

export function createAssignmentsRepository(db: Kysely<Tables>, tenant_id: string): AssignmentsRepository {
  const assignments = () => db.selectFrom('assignments').selectAll().where('tenant_id', '=', tenant_id).orderBy('name');
  const plain = (row: AssignmentRow): Assignment => omit(row, 'tenant_id');
  return {
    async insert(assignment) {
      await db
        .insertInto('assignments')
        .values({ ...assignment, tenant_id })
        .execute();
    },
    async find(idOrName) {
      const rows = await assignments()
        .where((where) => where.or([where('id', '=', idOrName), where('name', '=', idOrName)]))
        .execute();
      const row = rows.find(({ id }) => id === idOrName) ?? rows[0];
      return row && plain(row);
    },
    async list({ configId } = {}) {
      const query = configId === undefined ? assignments() : assignments().where('config_id', '=', configId);
      return (await query.execute()).map(plain);
    },
    async page({ limit, after }) {
      let query = assignments().limit(limit + 1);
      if (after) query = query.where('name', '>', String(after[0]));
      return (await query.execute()).map(plain);
    },
    async update(id, changes) {
      await db
        .updateTable('assignments')
        .set(changes)
        .where('tenant_id', '=', tenant_id)
        .where('id', '=', id)
        .execute();
    },
    async remove(id) {
      await db.deleteFrom('assignments').where('tenant_id', '=', tenant_id).where('id', '=', id).execute();
    },
  };
}
