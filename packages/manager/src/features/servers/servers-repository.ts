import {
  matchesSelector,
  type AgentStatus,
  type EngineReport,
  type EnrolBody,
  type Labels,
  type Selector,
} from '@sbox/protocol';
import type { Kysely } from 'kysely';
import type { PageRequest } from '../../database/page.ts';
import { omit } from '../../omit.ts';
import type { AgentKeyRow, ManifestRow, ServerAssignmentRow, ServerRow, Tables } from '../../database/schema.ts';
import { joinTokensOf, type JoinTokensRepository } from './join-tokens-repository.ts';
import type { ServerFacts } from './server-facts.ts';

export interface Server extends Omit<ServerRow, 'tenant_id' | 'agent' | 'engines' | 'status' | 'labels'> {
  /** Null for a server that never joins. */
  agent: EnrolBody['agent'] | null;
  engines: readonly EngineReport[];
  labels: Labels;
  status: AgentStatus | null;
}
export type AgentKeyRecord = Pick<AgentKeyRow, 'keyid' | 'public_key' | 'revoked_at' | 'is_candidate'>;
/** What a unit of a server was sent, and what was known of the server then. */
export interface ServerAssignment extends Omit<ServerAssignmentRow, 'tenant_id' | 'facts'> {
  facts: Omit<ServerFacts, 'server'>;
}
/** What decides what is meant for a server. */
export type ServerPlace = Pick<Server, 'id' | 'name' | 'labels' | 'environment'>;
/** Both have to hold. */
export interface ServersFilter {
  readonly selector: Selector;
  /** Undefined: whatever environment. */
  readonly environment: string | undefined;
}
export type StoredManifest = Omit<ManifestRow, 'tenant_id'>;
export type ManifestHead = Omit<StoredManifest, 'envelope'>;

export interface ServersRepository extends JoinTokensRepository {
  insert(server: Server): Promise<void>;
  find(idOrName: string): Promise<Server | undefined>;
  findMany(ids: readonly string[]): Promise<Server[]>;
  /** By name; `after` is [name]. */
  list(page: PageRequest, filter?: ServersFilter): Promise<Server[]>;
  update(id: string, changes: Partial<Omit<Server, 'id'>>): Promise<void>;
  remove(id: string): Promise<void>;
  /** They were all heard of just now. */
  touch(ids: readonly string[], seen_at: string): Promise<void>;
  /** Where every server stands, by name. */
  places(): Promise<ServerPlace[]>;
  /** When each server was last heard of; an island never joined. */
  lastSeen(): Promise<{ id: string; seen_at: string | null; is_island: boolean }[]>;

  insertKey(key: { server_id: string; keyid: string; public_key: Uint8Array; created_at: string }): Promise<void>;
  /** The key in use and the next one, also of a server that was removed. */
  keys(serverId: string): Promise<AgentKeyRecord[]>;
  /** Stores the next key of a server, instead of one that was never used. */
  replaceCandidate(key: {
    server_id: string;
    keyid: string;
    public_key: Uint8Array;
    created_at: string;
  }): Promise<void>;
  /** The next key is the one in use, the only one; false when it is no candidate (any more). */
  commitKey(serverId: string, keyid: string): Promise<boolean>;
  revokeKeys(serverId: string, at: string): Promise<void>;

  assign(assignment: ServerAssignment): Promise<void>;
  assignments(filter: { serverIds: readonly string[] } | { configId: string }): Promise<ServerAssignment[]>;
  /** How many servers were sent each of these configs; none is not in it. */
  countAssigned(configIds: readonly string[]): Promise<Map<string, number>>;

  insertManifest(manifest: StoredManifest): Promise<void>;
  /** The same order, signed by another key. */
  replaceEnvelope(manifest: StoredManifest): Promise<void>;
  manifest(serverId: string): Promise<StoredManifest | undefined>;
  heads(serverIds: readonly string[]): Promise<Map<string, ManifestHead>>;
  /** The newest ones of a server, newest first. */
  recentManifests(serverId: string, limit: number): Promise<ManifestHead[]>;
}

export function createServersRepository(db: Kysely<Tables>, tenant_id: string): ServersRepository {
  const servers = () => db.selectFrom('servers').selectAll().where('tenant_id', '=', tenant_id);
  const parse = (row: ServerRow): Server => ({
    ...omit(row, 'tenant_id'),
    agent: row.agent === null ? null : (JSON.parse(row.agent) as EnrolBody['agent']),
    engines: JSON.parse(row.engines) as EngineReport[],
    status: row.status === null ? null : (JSON.parse(row.status) as AgentStatus),
    labels: JSON.parse(row.labels) as Labels,
  });
  const print = <T extends Partial<Server>>({ agent, engines, status, labels, ...row }: T) => ({
    ...row,
    ...(labels === undefined ? {} : { labels: JSON.stringify(labels) }),
    ...(agent === undefined ? {} : { agent: agent && JSON.stringify(agent) }),
    ...(engines === undefined ? {} : { engines: JSON.stringify(engines) }),
    ...(status === undefined ? {} : { status: status && JSON.stringify(status) }),
  });
  const readSome = async ({ limit, after }: PageRequest, environment: string | undefined): Promise<Server[]> => {
    let query = servers().orderBy('name').limit(limit);
    if (environment !== undefined) query = query.where('environment', '=', environment);
    if (after) query = query.where('name', '>', String(after[0]));
    return (await query.execute()).map(parse);
  };
  return {
    async insert(server) {
      await db
        .insertInto('servers')
        .values({ ...(print(server) as Omit<ServerRow, 'tenant_id'>), tenant_id })
        .execute();
    },
    async find(idOrName) {
      const rows = await servers()
        .where((where) => where.or([where('id', '=', idOrName), where('name', '=', idOrName)]))
        .execute();
      const row = rows.find(({ id }) => id === idOrName) ?? rows[0];
      return row && parse(row);
    },
    async findMany(ids) {
      if (ids.length === 0) return [];
      return (await inChunks(ids, async (some) => await servers().where('id', 'in', some).execute())).map(parse);
    },
    list: async (page, filter = { selector: [], environment: undefined }) =>
      await listSelected(page, filter.selector, async (some) => await readSome(some, filter.environment)),
    async update(id, changes) {
      await db
        .updateTable('servers')
        .set(print(changes))
        .where('tenant_id', '=', tenant_id)
        .where('id', '=', id)
        .execute();
    },
    async remove(id) {
      await db.deleteFrom('servers').where('tenant_id', '=', tenant_id).where('id', '=', id).execute();
    },
    async touch(ids, seen_at) {
      await inChunks(ids, async (some) => {
        const update = db.updateTable('servers').set({ seen_at }).where('tenant_id', '=', tenant_id);
        await update.where('id', 'in', some).execute();
        return [];
      });
    },
    ...keysOf(db, tenant_id),
    ...placesOf(db, tenant_id),
    ...joinTokensOf(db, tenant_id),
    ...ordersOf(db, tenant_id),
  };
}

type Placed = Pick<ServersRepository, 'places' | 'lastSeen'>;

const placesOf = (db: Kysely<Tables>, tenant_id: string): Placed => ({
  async places() {
    const rows = await db
      .selectFrom('servers')
      .select(['id', 'name', 'labels', 'environment'])
      .where('tenant_id', '=', tenant_id)
      .orderBy('name')
      .execute();
    return rows.map((row) => ({ ...row, labels: JSON.parse(row.labels) as Labels }));
  },
  async lastSeen() {
    const rows = await db
      .selectFrom('servers')
      .select(['id', 'seen_at', 'agent'])
      .where('tenant_id', '=', tenant_id)
      .execute();
    return rows.map(({ agent, ...row }) => ({ ...row, is_island: agent === null }));
  },
});

/** Labels are compared here and not by the database, so many are read for a few. */
const selectedAtOnce = 500;

/** Reads on until the page is full, and one row more when there is one. */
async function listSelected(
  { limit, after }: PageRequest,
  selector: Selector,
  read: (page: PageRequest) => Promise<Server[]>,
): Promise<Server[]> {
  const found: Server[] = [];
  const size = selector.length === 0 ? limit + 1 : Math.max(limit + 1, selectedAtOnce);
  for (let from = after; ;) {
    const some = await read({ limit: size, after: from });
    found.push(...some.filter(({ labels }) => matchesSelector(selector, labels)));
    const last = some.at(-1);
    if (found.length > limit || some.length < size || last === undefined) return found.slice(0, limit + 1);
    from = [last.name];
  }
}

/** SQLite takes at most 32,766 parameters in one statement. */
async function inChunks<T>(ids: readonly string[], run: (some: readonly string[]) => Promise<T[]>): Promise<T[]> {
  const found: T[] = [];
  for (let start = 0; start < ids.length; start += 10_000) found.push(...(await run(ids.slice(start, start + 10_000))));
  return found;
}

type Keys = Pick<ServersRepository, 'insertKey' | 'keys' | 'replaceCandidate' | 'commitKey' | 'revokeKeys'>;

function keysOf(db: Kysely<Tables>, tenant_id: string): Keys {
  const insert = async (key: Parameters<Keys['insertKey']>[0], is_candidate: number): Promise<void> => {
    await db
      .insertInto('agent_keys')
      .values({ ...key, tenant_id, revoked_at: null, is_candidate })
      .execute();
  };
  const remove = (serverId: string) =>
    db.deleteFrom('agent_keys').where('tenant_id', '=', tenant_id).where('server_id', '=', serverId);
  return {
    insertKey: async (key) => await insert(key, 0),
    keys: async (serverId) =>
      await db
        .selectFrom('agent_keys')
        .select(['keyid', 'public_key', 'revoked_at', 'is_candidate'])
        .where('tenant_id', '=', tenant_id)
        .where('server_id', '=', serverId)
        .orderBy('is_candidate')
        .orderBy('created_at', 'desc')
        .execute(),
    async replaceCandidate(key) {
      await remove(key.server_id).where('is_candidate', '=', 1).execute();
      await insert(key, 1);
    },
    async commitKey(serverId, keyid) {
      const committed = await db
        .updateTable('agent_keys')
        .set({ is_candidate: 0 })
        .where('tenant_id', '=', tenant_id)
        .where('server_id', '=', serverId)
        .where('keyid', '=', keyid)
        .where('is_candidate', '=', 1)
        .returning('keyid')
        .executeTakeFirst();
      if (!committed) return false;
      await remove(serverId).where('keyid', '!=', keyid).execute();
      return true;
    },
    async revokeKeys(serverId, at) {
      await db
        .updateTable('agent_keys')
        .set({ revoked_at: at })
        .where('tenant_id', '=', tenant_id)
        .where('server_id', '=', serverId)
        .execute();
    },
  };
}

type Orders = Pick<
  ServersRepository,
  | 'assign'
  | 'assignments'
  | 'countAssigned'
  | 'insertManifest'
  | 'replaceEnvelope'
  | 'manifest'
  | 'heads'
  | 'recentManifests'
>;

/** Empty for what was sent before servers had labels. */
const readFacts = (stored: string): ServerAssignment['facts'] => ({
  environment: null,
  labels: {},
  ...(JSON.parse(stored) as Partial<ServerAssignment['facts']>),
});

const keptManifests = 20;
const headColumns = ['server_id', 'epoch', 'generation', 'etag', 'units', 'created_at'] as const;

/** Which versions its units run, for retention. */
async function addVersions(
  db: Kysely<Tables>,
  tenant_id: string,
  { server_id, epoch, generation, units }: StoredManifest,
): Promise<void> {
  const orders = (
    JSON.parse(units) as { units?: readonly { readonly config: { config_id: string; version: number } }[] }
  ).units;
  const rows = (orders ?? []).map(({ config: { config_id, version } }) => ({
    tenant_id,
    server_id,
    epoch,
    generation,
    config_id,
    version,
  }));
  if (rows.length === 0) return;
  const key = ['tenant_id', 'server_id', 'epoch', 'generation', 'config_id', 'version'] as const;
  await db
    .insertInto('manifest_versions')
    .values(rows)
    .onConflict((conflict) => conflict.columns(key).doNothing())
    .execute();
}

async function replaceEnvelope(
  db: Kysely<Tables>,
  tenant_id: string,
  { server_id, epoch, generation, envelope, etag }: StoredManifest,
): Promise<void> {
  await db
    .updateTable('manifests')
    .set({ envelope, etag })
    .where('tenant_id', '=', tenant_id)
    .where('server_id', '=', server_id)
    .where('epoch', '=', epoch)
    .where('generation', '=', generation)
    .execute();
}

async function newestManifests(
  db: Kysely<Tables>,
  tenant_id: string,
  serverIds: readonly string[],
): Promise<ManifestHead[]> {
  // Generations of a server only grow, whatever the epoch.
  const last = db
    .selectFrom('manifests')
    .select((select) => ['tenant_id', 'server_id', select.fn.max('generation').as('generation')])
    .where('tenant_id', '=', tenant_id)
    .where('server_id', 'in', serverIds)
    .groupBy(['tenant_id', 'server_id']);
  // With the tenant in the join SQLite looks each row up; without it, it reads the manifests of every server.
  return await db
    .selectFrom(last.as('last'))
    .innerJoin('manifests as made', (join) =>
      join
        .onRef('made.tenant_id', '=', 'last.tenant_id')
        .onRef('made.server_id', '=', 'last.server_id')
        .onRef('made.generation', '=', 'last.generation'),
    )
    .select(['made.server_id', 'made.epoch', 'made.generation', 'made.etag', 'made.units', 'made.created_at'])
    .execute();
}

function ordersOf(db: Kysely<Tables>, tenant_id: string): Orders {
  const newest = (serverId: string) => (query: ReturnType<typeof manifests>) =>
    query.where('server_id', '=', serverId).orderBy('epoch', 'desc').orderBy('generation', 'desc');
  const manifests = () => db.selectFrom('manifests').select(headColumns).where('tenant_id', '=', tenant_id);
  return {
    async assign({ server_id, unit, facts, ...rest }) {
      const what = { ...rest, facts: JSON.stringify(facts) };
      await db
        .insertInto('server_assignments')
        .values({ tenant_id, server_id, unit, ...what })
        .onConflict((conflict) => conflict.columns(['tenant_id', 'server_id', 'unit']).doUpdateSet(what))
        .execute();
    },
    async assignments(filter) {
      const query = db
        .selectFrom('server_assignments')
        .select(['server_id', 'unit', 'config_id', 'version', 'engine', 'facts'])
        .where('tenant_id', '=', tenant_id)
        .orderBy('server_id')
        .orderBy('unit');
      const rows =
        'configId' in filter
          ? await query.where('config_id', '=', filter.configId).execute()
          : await inChunks(filter.serverIds, async (some) => await query.where('server_id', 'in', some).execute());
      return rows.map(({ facts, ...row }) => ({ ...row, facts: readFacts(facts) }));
    },
    async countAssigned(configIds) {
      if (configIds.length === 0) return new Map();
      const rows = await db
        .selectFrom('server_assignments')
        .select(({ fn }) => ['config_id', fn.count<number>('server_id').as('servers')])
        .where('tenant_id', '=', tenant_id)
        .where('config_id', 'in', configIds)
        .groupBy('config_id')
        .execute();
      return new Map(rows.map(({ config_id, servers }) => [config_id, servers]));
    },
    async insertManifest(manifest) {
      await db
        .insertInto('manifests')
        .values({ ...manifest, tenant_id })
        .execute();
      await addVersions(db, tenant_id, manifest);
      const kept = await newest(manifest.server_id)(manifests()).offset(keptManifests).limit(1).executeTakeFirst();
      if (!kept) return;
      await db
        .deleteFrom('manifests')
        .where('tenant_id', '=', tenant_id)
        .where('server_id', '=', manifest.server_id)
        .where((where) =>
          where.or([
            where('epoch', '<', kept.epoch),
            where.and([where('epoch', '=', kept.epoch), where('generation', '<=', kept.generation)]),
          ]),
        )
        .execute();
    },
    replaceEnvelope: async (manifest) => await replaceEnvelope(db, tenant_id, manifest),
    manifest: async (serverId) => await newest(serverId)(manifests()).select('envelope').limit(1).executeTakeFirst(),
    async heads(serverIds) {
      const rows = await inChunks(serverIds, async (some) => await newestManifests(db, tenant_id, some));
      return new Map(rows.map((row) => [row.server_id, row]));
    },
    recentManifests: async (serverId, limit) => await newest(serverId)(manifests()).limit(limit).execute(),
  };
}
