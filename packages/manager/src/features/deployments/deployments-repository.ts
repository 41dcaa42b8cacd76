import type { Kysely } from 'kysely';
import { newestFirst, type PageRequest } from '../../database/page.ts';
import type { DeploymentRow, DeploymentServerRow, Tables } from '../../database/schema.ts';
import { omit } from '../../omit.ts';
import type { DeploymentState, HaltReason, ServerState } from './deployment-plan.ts';

export interface DeploymentServer extends Omit<DeploymentServerRow, 'tenant_id' | 'deployment_id' | 'state'> {
  state: ServerState;
}
export interface Deployment extends Omit<DeploymentRow, 'tenant_id' | 'state' | 'reason' | 'assignments'> {
  state: DeploymentState;
  reason: HaltReason | null;
  assignments: readonly string[];
  /** In the order in which they are moved. */
  servers: readonly DeploymentServer[];
}

export interface DeploymentsRepository {
  insert(deployment: Deployment): Promise<void>;
  find(id: string): Promise<Deployment | undefined>;
  /** Newest first; `after` is [created_at, id]. */
  list(page: PageRequest): Promise<Deployment[]>;
  /** Those that are not at their end, the oldest first. */
  running(configId?: string): Promise<Deployment[]>;
  /** The newest one of a config, or of one of its versions, that no server stood in the way of. */
  newest(configId: string, version?: number): Promise<Pick<Deployment, 'version' | 'engine'> | undefined>;
  end(id: string, end: Pick<Deployment, 'state' | 'reason' | 'ended_at'>): Promise<void>;
  /** Where a server has a verdict to give. */
  inFlight(
    serverId: string,
  ): Promise<{ deployment_id: string; state: ServerState; epoch: number; generation: number }[]>;
  /** The server got another order, or is gone: says which running deployments waited for its verdict. */
  leave(serverId: string): Promise<string[]>;
  updateServer(id: string, serverId: string, changes: Partial<DeploymentServer>): Promise<void>;
}

export const createDeploymentsRepository = (db: Kysely<Tables>, tenant_id: string): DeploymentsRepository => ({
  ...readsOf(db, tenant_id),
  ...writesOf(db, tenant_id),
});

type Reads = Pick<DeploymentsRepository, 'find' | 'list' | 'running' | 'newest' | 'inFlight'>;

function readsOf(db: Kysely<Tables>, tenant_id: string): Reads {
  const deployments = () => db.selectFrom('deployments').selectAll().where('tenant_id', '=', tenant_id);
  const withServers = async (rows: readonly DeploymentRow[]): Promise<Deployment[]> => {
    if (rows.length === 0) return [];
    const ids = rows.map(({ id }) => id);
    const servers = await db
      .selectFrom('deployment_servers')
      .selectAll()
      .where('tenant_id', '=', tenant_id)
      .where('deployment_id', 'in', ids)
      .orderBy('position')
      .execute();
    const byDeployment = Map.groupBy(servers, ({ deployment_id }) => deployment_id);
    return rows.map((row) => ({
      ...omit(row, 'tenant_id'),
      state: row.state as DeploymentState,
      assignments: JSON.parse(row.assignments) as string[],
      reason: row.reason === null ? null : (JSON.parse(row.reason) as HaltReason),
      servers: (byDeployment.get(row.id) ?? []).map((server) => ({
        ...omit(server, 'tenant_id', 'deployment_id'),
        state: server.state as ServerState,
      })),
    }));
  };
  return {
    async find(id) {
      const row = await deployments().where('id', '=', id).executeTakeFirst();
      return row && (await withServers([row]))[0];
    },
    async list(page) {
      return await withServers(await newestFirst(deployments(), page).execute());
    },
    async running(configId) {
      let query = deployments().where('state', '=', 'running').orderBy('created_at');
      if (configId !== undefined) query = query.where('config_id', '=', configId);
      return await withServers(await query.execute());
    },
    async newest(configId, version) {
      const tried = deployments().where('config_id', '=', configId).where('state', '!=', 'halted');
      let query = tried.orderBy('created_at', 'desc').orderBy('id', 'desc');
      if (version !== undefined) query = query.where('version', '=', version);
      const row = await query.limit(1).executeTakeFirst();
      return row && { version: row.version, engine: row.engine };
    },
    async inFlight(serverId) {
      const rows = await db
        .selectFrom('deployment_servers as told')
        .innerJoin('deployments', (join) =>
          join.onRef('deployments.tenant_id', '=', 'told.tenant_id').onRef('deployments.id', '=', 'told.deployment_id'),
        )
        .select(['deployment_id', 'told.state', 'epoch', 'generation'])
        .where('told.tenant_id', '=', tenant_id)
        .where('told.server_id', '=', serverId)
        .where('told.state', 'in', ['sent', 'serving'])
        .where('deployments.state', '=', 'running')
        .execute();
      return rows.map((row) => ({ ...row, state: row.state as ServerState }));
    },
  };
}

type Writes = Pick<DeploymentsRepository, 'insert' | 'end' | 'leave' | 'updateServer'>;

const writesOf = (db: Kysely<Tables>, tenant_id: string): Writes => ({
  async insert({ servers, reason, assignments, ...row }) {
    await db
      .insertInto('deployments')
      .values({ ...row, tenant_id, reason: reason && JSON.stringify(reason), assignments: JSON.stringify(assignments) })
      .execute();
    // A thousand rows a statement: within what SQLite takes as parameters.
    for (let start = 0; start < servers.length; start += 1000) {
      const some = servers.slice(start, start + 1000);
      await db
        .insertInto('deployment_servers')
        .values(some.map((server) => ({ ...server, tenant_id, deployment_id: row.id })))
        .execute();
    }
  },
  async end(id, { state, reason, ended_at }) {
    await db
      .updateTable('deployments')
      .set({ state, reason: reason && JSON.stringify(reason), ended_at })
      .where('tenant_id', '=', tenant_id)
      .where('id', '=', id)
      .execute();
  },
  async leave(serverId) {
    const left = await db
      .updateTable('deployment_servers')
      .set({ state: 'moved' })
      .where('tenant_id', '=', tenant_id)
      .where('server_id', '=', serverId)
      .where('state', 'in', ['sent', 'serving'])
      .where(
        'deployment_id',
        'in',
        db.selectFrom('deployments').select('id').where('tenant_id', '=', tenant_id).where('state', '=', 'running'),
      )
      .returning('deployment_id')
      .execute();
    return left.map(({ deployment_id }) => deployment_id);
  },
  async updateServer(id, serverId, changes) {
    await db
      .updateTable('deployment_servers')
      .set(changes)
      .where('tenant_id', '=', tenant_id)
      .where('deployment_id', '=', id)
      .where('server_id', '=', serverId)
      .execute();
  },
});
