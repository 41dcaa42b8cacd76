import type { Kysely } from 'kysely';
import type { PageRequest } from '../../database/page.ts';
import type { EngineBuildRow, Tables } from '../../database/schema.ts';
import { omit } from '../../omit.ts';

export interface StoredBuild extends Omit<EngineBuildRow, 'tenant_id' | 'tags'> {
  tags: readonly string[];
}

/** What is known of the programs; their bytes are files. */
export interface EnginesRepository {
  insert(build: StoredBuild): Promise<void>;
  find(digest: string): Promise<StoredBuild | undefined>;
  /** One for each machine. */
  ofVersion(version: string): Promise<StoredBuild[]>;
  /** By digest; `after` is [digest]. */
  list(page: PageRequest): Promise<StoredBuild[]>;
  remove(digest: string): Promise<void>;
  /** Names of servers by the version that they are assigned. */
  users(versions: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>>;
  /** Names of servers with an order, of those that are kept, that names the digest. */
  namedBy(digest: string): Promise<string[]>;
}

export function createEnginesRepository(db: Kysely<Tables>, tenant_id: string): EnginesRepository {
  const builds = () => db.selectFrom('engine_builds').selectAll().where('tenant_id', '=', tenant_id);
  const parse = (row: EngineBuildRow): StoredBuild => ({
    ...omit(row, 'tenant_id'),
    tags: JSON.parse(row.tags) as string[],
  });
  return {
    async insert({ tags, ...build }) {
      await db
        .insertInto('engine_builds')
        .values({ ...build, tenant_id, tags: JSON.stringify(tags) })
        .execute();
    },
    async find(digest) {
      const row = await builds().where('digest', '=', digest).executeTakeFirst();
      return row && parse(row);
    },
    ofVersion: async (version) => (await builds().where('version', '=', version).orderBy('arch').execute()).map(parse),
    async list({ limit, after }) {
      let query = builds()
        .orderBy('digest')
        .limit(limit + 1);
      if (after) query = query.where('digest', '>', String(after[0]));
      return (await query.execute()).map(parse);
    },
    async remove(digest) {
      await db.deleteFrom('engine_builds').where('tenant_id', '=', tenant_id).where('digest', '=', digest).execute();
    },
    async users(versions) {
      if (versions.length === 0) return new Map();
      const rows = await db
        .selectFrom('server_assignments')
        .innerJoin('servers', (join) =>
          join
            .onRef('servers.tenant_id', '=', 'server_assignments.tenant_id')
            .onRef('servers.id', '=', 'server_assignments.server_id'),
        )
        .select(['server_assignments.engine', 'servers.name'])
        .where('server_assignments.tenant_id', '=', tenant_id)
        .where('server_assignments.engine', 'in', versions)
        .orderBy('servers.name')
        .execute();
      const byEngine = Map.groupBy(rows, ({ engine }) => engine);
      return new Map([...byEngine].map(([engine, found]) => [engine, [...new Set(found.map(({ name }) => name))]]));
    },
    async namedBy(digest) {
      const rows = await db
        .selectFrom('manifests')
        .innerJoin('servers', (join) =>
          join.onRef('servers.tenant_id', '=', 'manifests.tenant_id').onRef('servers.id', '=', 'manifests.server_id'),
        )
        .select('servers.name')
        .distinct()
        .where('manifests.tenant_id', '=', tenant_id)
        .where('manifests.units', 'like', `%"${digest}"%`)
        .orderBy('servers.name')
        .execute();
      return rows.map(({ name }) => name);
    },
  };
}
