import type { FreezeWindow } from '@sbox/protocol';
import type { Kysely, SelectQueryBuilder } from 'kysely';
import type { PageRequest } from '../../database/page.ts';
import type { EnvironmentRow, Tables } from '../../database/schema.ts';
import { omit } from '../../omit.ts';

export interface Environment extends Omit<EnvironmentRow, 'tenant_id' | 'freezes'> {
  freezes: readonly FreezeWindow[];
}

export interface EnvironmentUsers {
  servers: string[];
  assignments: string[];
  join_tokens: string[];
}

/** Groups of servers that are held to one pace of change. */
export interface EnvironmentsRepository {
  insert(environment: Environment): Promise<void>;
  find(name: string): Promise<Environment | undefined>;
  /** By name; `after` is [name]. */
  list(page: PageRequest): Promise<Environment[]>;
  update(name: string, changes: Partial<Omit<Environment, 'name'>>): Promise<void>;
  remove(name: string): Promise<void>;
  /** Names of what is in it; a join token counts while it can be used. */
  users(name: string, how: { readonly now: string; readonly limit: number }): Promise<EnvironmentUsers>;
  /** How many servers each environment has. */
  counts(): Promise<ReadonlyMap<string, number>>;
}

export function createEnvironmentsRepository(db: Kysely<Tables>, tenant_id: string): EnvironmentsRepository {
  const environments = () => db.selectFrom('environments').selectAll().where('tenant_id', '=', tenant_id);
  const parse = (row: EnvironmentRow): Environment => ({
    ...omit(row, 'tenant_id'),
    freezes: JSON.parse(row.freezes) as FreezeWindow[],
  });
  const print = <T extends Partial<Environment>>({ freezes, ...row }: T) => ({
    ...row,
    ...(freezes === undefined ? {} : { freezes: JSON.stringify(freezes) }),
  });
  return {
    async insert(environment) {
      await db
        .insertInto('environments')
        .values({ ...(print(environment) as Omit<EnvironmentRow, 'tenant_id'>), tenant_id })
        .execute();
    },
    async find(name) {
      const row = await environments().where('name', '=', name).executeTakeFirst();
      return row && parse(row);
    },
    async list({ limit, after }) {
      let query = environments()
        .orderBy('name')
        .limit(limit + 1);
      if (after) query = query.where('name', '>', String(after[0]));
      return (await query.execute()).map(parse);
    },
    async update(name, changes) {
      await db
        .updateTable('environments')
        .set(print(changes))
        .where('tenant_id', '=', tenant_id)
        .where('name', '=', name)
        .execute();
    },
    async remove(name) {
      await db.deleteFrom('environments').where('tenant_id', '=', tenant_id).where('name', '=', name).execute();
    },
    ...inhabitantsOf(db, tenant_id),
  };
}

/** What is in environments. */
function inhabitantsOf(db: Kysely<Tables>, tenant_id: string): Pick<EnvironmentsRepository, 'users' | 'counts'> {
  const named = (table: 'servers' | 'assignments' | 'join_tokens', environment: string, limit: number) =>
    db
      .selectFrom(table)
      .select(['name', 'id'])
      .where('tenant_id', '=', tenant_id)
      .where('environment', '=', environment)
      .orderBy('name')
      .limit(limit);
  const names = (rows: readonly { name: string | null; id: string }[]): string[] =>
    rows.map(({ name, id }) => name ?? id);
  return {
    async users(name, { now, limit }) {
      const tokens = named('join_tokens', name, limit) as SelectQueryBuilder<
        Tables,
        'join_tokens',
        { name: string | null; id: string }
      >;
      const open = tokens.where('used_at', 'is', null).where('expires_at', '>', now);
      return {
        servers: names(await named('servers', name, limit).execute()),
        assignments: names(await named('assignments', name, limit).execute()),
        join_tokens: names(await open.execute()),
      };
    },
    async counts() {
      const rows = await db
        .selectFrom('servers')
        .select((select) => ['environment', select.fn.countAll<number>().as('servers')])
        .where('tenant_id', '=', tenant_id)
        .groupBy('environment')
        .execute();
      return new Map(
        rows.flatMap(({ environment, servers }) => (environment === null ? [] : [[environment, servers]])),
      );
    },
  };
}
