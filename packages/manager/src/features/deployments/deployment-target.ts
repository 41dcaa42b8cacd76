import { isoTime, ProblemError, type Clock } from '@sbox/core';
import { isWithin, type HeldBounds } from '@sbox/protocol';
import type { Repositories, Store } from '../../database/store.ts';
import { createMeaning } from '../assignments/meant.ts';
import { markNewcomers } from '../assignments/newcomers-marks.ts';
import type { ConfigVersion } from '../configs/config-versions-repository.ts';
import type { Server } from '../servers/servers-repository.ts';
import type { Deployment } from './deployments-repository.ts';

/** Asked for instead of a version: what each server has itself. */
export const ownEngine = 'own';
/** What a config is called on a server that no assignment means. */
const mainUnit = 'main';

export interface Target {
  readonly servers: readonly Server[];
  /** Those that say so; none where servers were named. */
  readonly assignments: readonly string[];
}

/** Which servers were asked for, in one of these ways. */
export interface Choice {
  /** Names or ids. */
  readonly servers?: readonly string[] | undefined;
  readonly environment?: string | undefined;
  readonly selector?: string | undefined;
  /** What the caller is held to. */
  readonly bounds?: HeldBounds | undefined;
}

/**
 * The servers that are asked for; else those that the assignments of a config mean and those that run it; else the only
 * one. A config with assignments may be deployed before there is a server for it.
 * @throws ProblemError `server.not-found`, `environment.not-found`, `deployment.no-servers`
 */
export async function chooseTarget(store: Store, configId: string, choice: Choice): Promise<Target> {
  const { servers: names, environment, selector } = choice;
  if (names) return { servers: await findNamed(store, names), assignments: [] };
  if (environment !== undefined || selector !== undefined)
    return { servers: await findStanding(store, choice), assignments: [] };
  const assignments = await store.assignments.list({ configId });
  const meaners = assignments.map(createMeaning);
  const places = assignments.length === 0 ? [] : await store.servers.places();
  const meant = places.filter((place) => meaners.some((means) => means(place))).map(({ id }) => id);
  const running = (await store.servers.assignments({ configId })).map(({ server_id }) => server_id);
  const ids = [...new Set([...meant, ...running])];
  if (ids.length > 0 || assignments.length > 0)
    return {
      servers: byName(await store.servers.findMany(ids)),
      assignments: assignments.map(({ id }) => id),
    };
  const all = await store.servers.list({ limit: 1, after: undefined });
  if (all.length === 1) return { servers: all, assignments: [] };
  throw new ProblemError(
    'deployment.no-servers',
    all.length === 0 ? 'no server has joined yet' : 'no server runs this config yet, and there is more than one',
    all.length === 0
      ? {}
      : {
          fix: 'Name the servers: sboxmgr config deploy NAME --server NAME; or say which it is for: sboxmgr assignment create',
        },
  );
}

/** Those of an environment, or with labels. Callers with bounds choose among the servers that they meet. */
async function findStanding(store: Store, { environment, selector, bounds }: Choice): Promise<Server[]> {
  const means = createMeaning({ environment: environment ?? null, selector: selector ?? '' });
  const places = (await store.servers.places()).filter(
    (place) => means(place) && isWithin(bounds, { servers: [place.labels] }),
  );
  if (places.length > 0) return byName(await store.servers.findMany(places.map(({ id }) => id)));
  // To callers with bounds an environment of others is one that is not there.
  if (environment !== undefined && (bounds !== undefined || !(await store.environments.find(environment))))
    throw new ProblemError('environment.not-found', `environment ${environment}`);
  throw new ProblemError(
    'deployment.no-servers',
    environment === undefined ? `no server has labels that ${selector} meets` : `no server is in ${environment}`,
    { fix: 'See what servers stand where: sboxmgr server list' },
  );
}

const byName = (servers: readonly Server[]): Server[] => servers.toSorted((a, b) => (a.name < b.name ? -1 : 1));

async function findNamed({ servers }: Store, names: readonly string[]): Promise<Server[]> {
  const found = new Map<string, Server>();
  for (const name of names) {
    const server = await servers.find(name);
    if (!server) throw new ProblemError('server.not-found', `server ${name}`);
    found.set(server.id, server);
  }
  return [...found.values()];
}

/**
 * What a config is called on a server: by the assignments that mean it, and as it runs there already. None where its
 * servers were looked up and this one has come to stand elsewhere before its turn: it keeps what it runs.
 */
export async function unitsOf(
  tx: Repositories,
  { config_id: configId, assignments, newcomers_of }: Pick<Deployment, 'config_id' | 'assignments' | 'newcomers_of'>,
  server: Server,
): Promise<string[]> {
  const meant = (await tx.assignments.list({ configId })).filter((assignment) => createMeaning(assignment)(server));
  const sent = await tx.servers.assignments({ serverIds: [server.id] });
  const running = sent.filter(({ config_id }) => config_id === configId);
  const units = [...new Set([...meant, ...running].map(({ unit }) => unit))];
  const isNamed = assignments.length === 0 && newcomers_of === null;
  return units.length === 0 && isNamed ? [mainUnit] : units;
}

/** What a deployment has brought to its servers is what its assignments give from now on, also to those that came since. */
export async function assignmentsDeployed(tx: Repositories, clock: Clock, deployment: Deployment): Promise<void> {
  const { assignments: ids, config_id, version, engine, servers } = deployment;
  if (ids.length === 0) return;
  const passedOver = await findPassedOver(tx, deployment);
  const reached = new Set(servers.flatMap(({ server_id }) => (passedOver.has(server_id) ? [] : [server_id])));
  const places = await tx.servers.places();
  for (const id of ids) {
    const assignment = await tx.assignments.find(id);
    // It is gone, or for another config now.
    if (assignment?.config_id !== config_id) continue;
    await tx.assignments.update(id, { version, engine, updated_at: isoTime(clock.now()) });
    const missed = places.filter((place) => createMeaning(assignment)(place) && !reached.has(place.id));
    await markNewcomers(
      tx,
      { id, version },
      missed.map((place) => place.id),
    );
  }
}

/** Servers that stood elsewhere when it was their turn; who got another order since is none of them, but for an older version. */
async function findPassedOver(
  { servers }: Pick<Repositories, 'servers'>,
  { config_id, version, created_at, servers: all }: Deployment,
): Promise<ReadonlySet<string>> {
  const ids = all.flatMap(({ server_id, state, sent_at }) =>
    state === 'moved' && sent_at === null ? [server_id] : [],
  );
  const heads = await servers.heads(ids);
  const sent = await servers.assignments({ serverIds: ids });
  const behind = new Set(
    sent.flatMap((one) => (one.config_id === config_id && one.version < version ? [one.server_id] : [])),
  );
  return new Set(ids.filter((id) => behind.has(id) || (heads.get(id)?.created_at ?? '') < created_at));
}

/**
 * The version of the engine that a version of a config is deployed with, empty for each server's own: what is asked for,
 * what its recipe says, what it (or the version that it brings back) was deployed with before, what the config was last.
 */
export async function engineFor(
  { deployments, configs }: Pick<Repositories, 'deployments' | 'configs'>,
  { config_id, version, inputs, rollback_of }: ConfigVersion,
  asked: string | undefined,
): Promise<string> {
  if (asked !== undefined) return asked === ownEngine ? '' : asked;
  if (inputs.settings.engine_build !== undefined) return inputs.settings.engine_build;
  const before =
    (await deployments.newest(config_id, version)) ??
    (rollback_of === null ? undefined : await deployments.newest(config_id, rollback_of));
  if (before) return before.engine;
  const last = await deployments.newest(config_id);
  // What a recipe said ends with the recipe.
  const lastInputs = last && (await configs.findVersion(config_id, last.version))?.inputs;
  return lastInputs?.settings.engine_build === undefined ? (last?.engine ?? '') : '';
}
