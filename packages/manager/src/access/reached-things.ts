import { ProblemError } from '@sbox/core';
import {
  areWithin,
  isWithin,
  parseSelector,
  readBounds,
  type Extent,
  type HeldBounds,
  type ReachedKind,
} from '@sbox/protocol';
import { readyTemplate } from '@sbox/pipeline';
import type { PageRequest } from '../database/page.ts';
import type { Repositories } from '../database/store.ts';
import type { Deployment } from '../features/deployments/deployments-repository.ts';
import type { OwnedToken } from './tokens-repository.ts';

/** Something that a request names, and whether a caller with bounds meets it. */
export interface ReachedThing {
  readonly id: string;
  readonly isInside: boolean;
}

type Find = (store: Repositories, name: string, bounds: HeldBounds) => Promise<ReachedThing | undefined>;

interface Kind {
  readonly find: Find;
  /** As its service says it. */
  readonly missing: (name: string) => ProblemError;
}

const ofProject =
  (
    find: (store: Repositories, name: string) => Promise<{ readonly id: string; readonly project: string } | undefined>,
  ): Find =>
  async (store, name, bounds) => {
    const found = await find(store, name);
    return found && { id: found.id, isInside: isWithin(bounds, { projects: [found.project] }) };
  };

/** By what is found nothing says whether it is there and outside, or not there at all. */
export const kinds: Readonly<Record<ReachedKind, Kind>> = {
  project: {
    find: async (_, name, bounds) =>
      await Promise.resolve({ id: name, isInside: isWithin(bounds, { projects: [name] }) }),
    // Names of projects are written, not looked up: there is nothing to hide.
    missing: (name) => outOfBounds(`the project ${name} is outside of your bounds`),
  },
  subscription: {
    find: ofProject(async ({ subscriptions }, name) => await subscriptions.find(name)),
    missing: (name) => new ProblemError('subscription.not-found', `subscription ${name}`),
  },
  config: {
    find: ofProject(async ({ configs }, name) => await configs.find(name)),
    missing: (name) => new ProblemError('config.not-found', `config ${name}`),
  },
  template: {
    async find({ templates }, name, bounds) {
      const stored = await templates.find(name);
      if (stored) return { id: name, isInside: isWithin(bounds, { projects: [stored.project] }) };
      return readyTemplate(name) && { id: name, isInside: true };
    },
    missing: (name) => new ProblemError('template.not-found', `template ${name}`),
  },
  server: {
    async find({ servers }, name, bounds) {
      const server = await servers.find(name);
      return server && { id: server.id, isInside: isWithin(bounds, { servers: [server.labels] }) };
    },
    missing: (name) => new ProblemError('server.not-found', `server ${name}`),
  },
  deployment: {
    async find(store, id, bounds) {
      const deployment = await store.deployments.find(id);
      return deployment && { id, isInside: await createDeploymentJudge(store, bounds)(deployment) };
    },
    missing: (id) => new ProblemError('deployment.not-found', `deployment ${id}`),
  },
  token: {
    async find({ tokens }, id, bounds) {
      const token = await tokens.find(id);
      return token && { id, isInside: isTokenWithin(bounds, token) };
    },
    missing: (id) => new ProblemError('token.not-found', `there is no token ${id}`),
  },
};

export const outOfBounds = (detail: string, details?: Readonly<Record<string, unknown>>): ProblemError =>
  new ProblemError('auth.out-of-bounds', detail, details ? { details } : {});

/** A token is inside where all that it opens is. */
export const isTokenWithin = (
  outer: HeldBounds | undefined,
  { bounds, owner_bounds }: Pick<OwnedToken, 'bounds' | 'owner_bounds'>,
): boolean => areWithin(readBounds(bounds), outer) || areWithin(readBounds(owner_bounds), outer);

/**
 * Says of deployments whether they are inside: by their config and by all of their servers. A server that is gone has no
 * labels any more, and could have been anybody's. Of many deployments each config and server is read once.
 */
export function createDeploymentJudge(
  { configs, servers }: Pick<Repositories, 'configs' | 'servers'>,
  bounds: HeldBounds,
): (deployment: Pick<Deployment, 'config_id' | 'servers'>) => Promise<boolean> {
  const insideConfigs = new Map<string, boolean>();
  const insideServers = new Map<string, boolean>();
  const isConfigInside = async (id: string): Promise<boolean> => {
    const config = await configs.find(id);
    return config !== undefined && isWithin(bounds, { projects: [config.project] });
  };
  const readServers = async (ids: readonly string[]): Promise<void> => {
    const unread = ids.filter((id) => !insideServers.has(id));
    for (const id of unread) insideServers.set(id, false);
    for (const { id, labels } of await servers.findMany(unread))
      insideServers.set(id, isWithin(bounds, { servers: [labels] }));
  };
  return async (deployment) => {
    const { config_id: configId } = deployment;
    const isInside = insideConfigs.get(configId) ?? (await isConfigInside(configId));
    insideConfigs.set(configId, isInside);
    if (!isInside || bounds.servers === undefined) return isInside;
    const ids = deployment.servers.map(({ server_id }) => server_id);
    await readServers(ids);
    return ids.every((id) => insideServers.get(id) === true);
  };
}

/** What a server was told to run, by projects. */
export async function extentOfUnits({ configs, servers }: Repositories, serverId: string): Promise<Extent> {
  const sent = await servers.assignments({ serverIds: [serverId] });
  const found = await Promise.all(sent.map(async ({ config_id }) => await configs.find(config_id)));
  return { projects: found.map((config) => config?.project ?? '') };
}

/**
 * Nobody moves servers outside: those that run a config, are on their way to it, or are meant by its assignments, also
 * those that will be.
 * @throws ProblemError `auth.out-of-bounds` with how many
 */
export async function refuseServersOutside(
  store: Repositories,
  bounds: HeldBounds,
  configIds: readonly string[],
): Promise<void> {
  if (bounds.servers === undefined) return;
  const ids = new Set<string>();
  let assignments = 0;
  for (const configId of configIds) {
    for (const { server_id } of await store.servers.assignments({ configId })) ids.add(server_id);
    for (const { servers } of await store.deployments.running(configId))
      for (const { server_id } of servers) ids.add(server_id);
    for (const { selector } of await store.assignments.list({ configId }))
      if (!areWithin({ servers: parseSelector(selector) }, { servers: bounds.servers })) assignments += 1;
  }
  const found = await store.servers.findMany([...ids]);
  const inside = found.filter(({ labels }) => isWithin(bounds, { servers: [labels] }));
  const servers = ids.size - inside.length;
  if (servers + assignments === 0) return;
  const what = [
    ...(servers === 0 ? [] : [`${servers} ${servers === 1 ? 'server' : 'servers'}`]),
    ...(assignments === 0
      ? []
      : [`what ${assignments} ${assignments === 1 ? 'assignment means' : 'assignments mean'}`]),
  ];
  throw outOfBounds(`it reaches ${what.join(', and ')}, outside of your bounds`, { servers, assignments });
}

/** Once more where it is decided: labels and assignments may have changed while a version was made ready. */
export async function refuseMovingOutside(
  store: Repositories,
  bounds: HeldBounds | undefined,
  { configId, serverIds }: { readonly configId: string; readonly serverIds: readonly string[] },
): Promise<void> {
  if (bounds?.servers === undefined) return;
  const found = await store.servers.findMany(serverIds);
  const inside = found.filter(({ labels }) => isWithin(bounds, { servers: [labels] }));
  const servers = serverIds.length - inside.length;
  if (servers > 0) throw outOfBounds(`it reaches ${servers} servers outside of your bounds`, { servers });
  await refuseServersOutside(store, bounds, [configId]);
}

const batch = 500;

/** One row more than a page of what is inside, when there is one: reads on until the page is full. */
export async function readInside<T>(
  { limit, after }: PageRequest,
  read: (page: PageRequest) => Promise<readonly T[]>,
  {
    keyOf,
    isInside,
  }: {
    readonly keyOf: (row: T) => NonNullable<PageRequest['after']>;
    /** Undefined: everything is. */
    readonly isInside: ((row: T) => boolean | Promise<boolean>) | undefined;
  },
): Promise<readonly T[]> {
  if (!isInside) return await read({ limit, after });
  const found: T[] = [];
  for (let from = after; ;) {
    const rows = await read({ limit: batch, after: from });
    const some = rows.slice(0, batch);
    for (const row of some) {
      if (await isInside(row)) found.push(row);
      if (found.length > limit) return found;
    }
    const last = some.at(-1);
    if (rows.length <= batch || last === undefined) return found;
    from = keyOf(last);
  }
}
