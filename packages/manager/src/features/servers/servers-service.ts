import { compareGenerations, isoTime, ProblemError, type Clock, type Envelope, type NewId } from '@sbox/core';
import {
  maxBundleBytes,
  parseSelector,
  patchLabels,
  type AgentStatus,
  type Bundle,
  type EngineReport,
  type HeldBounds,
  type Labels,
  type Unit,
} from '@sbox/protocol';
import { readPage, toPage, type PageQuery } from '../../database/page.ts';
import type { Repositories, Store } from '../../database/store.ts';
import { refuseConflict, serverPlaced } from '../assignments/newcomers-marks.ts';
import { verdictOf } from '../deployments/deployment-plan.ts';
import { digestsIn, enginesIn, isOrder } from '../deployments/manifests.ts';
import type { EnginesService } from '../engines/engines-service.ts';
import { checkEnvironment } from '../environments/environments-service.ts';
import { checkRevision } from '../if-match.ts';
import type { Presence } from './presence.ts';
import type { ManifestHead, Server } from './servers-repository.ts';
import { packTar } from './tar.ts';

export interface ServersDeps {
  readonly store: Store;
  readonly presence: Presence;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly trust: { readonly root_key: string; readonly trust: Envelope };
  readonly engines: Pick<EnginesService, 'content'>;
  /** The newest status that is known, stored or not. */
  readonly newestStatus: (serverId: string) => AgentStatus | undefined;
  /** A server is gone, and these deployments waited for it. */
  readonly removed: (serverId: string, deploymentIds: readonly string[]) => void;
}

export interface ServersQuery extends PageQuery {
  readonly selector?: string | undefined;
  readonly environment?: string | undefined;
}

export interface IslandWrite {
  readonly name: string;
  readonly engine: EngineReport;
  readonly labels: Labels;
  readonly environment: string | null;
}

export interface ServerPatch {
  readonly name?: string | undefined;
  readonly labels?: Readonly<Record<string, string | null>> | undefined;
  readonly environment?: string | null | undefined;
}

export type ServersService = ReturnType<typeof createServersService>;
const statesPage = 500;

/** Machines, as people see them. */
export function createServersService(deps: ServersDeps) {
  const { store, presence, clock, newId } = deps;
  const show = async (servers: readonly Server[]) => {
    const heads = await store.servers.heads(servers.map(({ id }) => id));
    return servers.map((server) => view(deps, server, heads.get(server.id)));
  };
  const showOne = async (id: string) => {
    const [shown] = await show([await find(store, id)]);
    return shown as NonNullable<typeof shown>;
  };

  return {
    async list({ selector = '', environment, ...query }: ServersQuery, bounds?: HeldBounds) {
      const page = readPage(query);
      const wanted = [...parseSelector(selector), ...(bounds?.servers ?? [])];
      const found = await store.servers.list(page, { selector: wanted, environment });
      const { items, next_cursor } = toPage(found, page.limit, ({ name }) => [name]);
      return { items: await show(items), next_cursor };
    },
    get: showOne,
    showMany: async (ids: readonly string[]) => await show(await store.servers.findMany(ids)),
    /** How many servers are in which state. */
    async states(): Promise<Record<string, number>> {
      const counts: Record<string, number> = { new: 0, healthy: 0, progressing: 0, degraded: 0, offline: 0 };
      const all = await store.servers.lastSeen();
      for (let start = 0; start < all.length; start += statesPage) {
        const some = all.slice(start, start + statesPage).map(({ id }) => id);
        for (const { state } of await show(await store.servers.findMany(some)))
          counts[state] = (counts[state] ?? 0) + 1;
      }
      return counts;
    },
    async addIsland({ name, engine, labels, environment }: IslandWrite) {
      const id = newId('srv');
      const blank = { agent: null, revision: 1, seen_at: null, status: null, created_at: isoTime(clock.now()) };
      const server: Server = { id, name, engines: [engine], labels, environment, ...blank };
      await store.transaction(async (tx) => await addIsland(tx, server));
      presence.added(id, true);
      return await showOne(id);
    },
    async edit(id: string, ifMatch: string, patch: ServerPatch) {
      const edited = await store.transaction(async (tx) => await edit(tx, await find(tx, id), ifMatch, patch));
      return await showOne(edited.id);
    },
    async remove(id: string, ifMatch: string): Promise<void> {
      const { server, left } = await store.transaction(async (tx) => {
        const found = await find(tx, id);
        checkRevision(ifMatch, found.revision);
        await tx.servers.revokeKeys(found.id, isoTime(clock.now()));
        const waiting = await tx.deployments.leave(found.id);
        await tx.servers.remove(found.id);
        await tx.events.add('server.deleted', { server_id: found.id, name: found.name });
        return { server: found, left: waiting };
      });
      presence.removed(server.id);
      deps.removed(server.id, left);
    },
    /** `withEngine`: with the program that the server is given. */
    async bundle(id: string, withEngine: boolean) {
      const server = await find(store, id);
      const manifest = await store.servers.manifest(server.id);
      if (!manifest || !isOrder(manifest.units))
        throw new ProblemError('server.not-assigned', `${server.name} has no config yet`);
      return { bytes: await packBundle(deps, server, manifest, withEngine), etag: manifest.etag };
    },
  };
}

async function find({ servers }: Pick<Repositories, 'servers'>, id: string): Promise<Server> {
  const server = await servers.find(id);
  if (!server) throw new ProblemError('server.not-found', `server ${id}`);
  return server;
}

async function addIsland(tx: Repositories, server: Server): Promise<void> {
  const { id, name, environment } = server;
  await refuseDouble(tx, name);
  await checkEnvironment(tx, environment);
  refuseConflict(await tx.assignments.list(), [server]);
  await tx.servers.insert(server);
  await serverPlaced(tx, server);
  await tx.events.add('server.joined', { server_id: id, name });
}

async function edit(tx: Repositories, server: Server, ifMatch: string, patch: ServerPatch): Promise<Server> {
  checkRevision(ifMatch, server.revision);
  const { name = server.name, environment = server.environment } = patch;
  const labels = patchLabels(server.labels, patch.labels ?? {});
  const wanted = { name, labels, environment };
  const keys = ['name', 'labels', 'environment'] as const;
  const changed = keys.filter((key) => JSON.stringify(wanted[key]) !== JSON.stringify(server[key]));
  if (changed.length === 0) return server;
  if (name !== server.name) await refuseDouble(tx, name);
  await checkEnvironment(tx, environment);
  const next = { ...server, ...wanted, revision: server.revision + 1 };
  refuseConflict(await tx.assignments.list(), [next]);
  await tx.servers.update(server.id, { ...wanted, revision: next.revision });
  await serverPlaced(tx, next, server);
  await tx.events.add('server.edited', { server_id: server.id, name, changed });
  return next;
}

export async function refuseDouble(tx: Repositories, name: string): Promise<void> {
  if (await tx.servers.find(name)) throw new ProblemError('server.exists', `server ${name} exists`);
}

function view({ presence, newestStatus }: ServersDeps, server: Server, newest: ManifestHead | undefined) {
  const head = newest && isOrder(newest.units) ? newest : undefined;
  const { agent, status: stored, ...rest } = server;
  const status = newestStatus(server.id) ?? stored;
  const isOffline = !presence.isIsland(server.id) && !presence.isOnline(server.id);
  const units = head ? (JSON.parse(head.units) as { units: readonly Unit[] }).units.map(viewUnit) : [];
  const { name: _, ...first } = units[0] ?? { name: '', config_id: null, version: null, engine: null };
  return {
    ...rest,
    status,
    state: stateOf(status, isOffline, head),
    agent_version: agent?.version ?? null,
    desired: head
      ? {
          epoch: head.epoch,
          generation: head.generation,
          ...first,
          units,
        }
      : null,
    seen_at: presence.seenAt(server.id) ?? server.seen_at,
    offline: isOffline,
  };
}

const viewUnit = ({ name, config, engine_build: build }: Unit) => ({
  name,
  config_id: config.config_id,
  version: config.version,
  engine: build?.version ?? null,
});

/** One word for people; the status has the facts. */
function stateOf(
  status: AgentStatus | null,
  isOffline: boolean,
  head: ManifestHead | undefined,
): 'new' | 'healthy' | 'progressing' | 'degraded' | 'offline' {
  if (!status) return 'new';
  if (isOffline) return 'offline';
  if (!head) return status.running ? 'healthy' : 'new';
  const { nack, phase, committed, observed } = status;
  const isRefused = nack !== null && compareGenerations(nack, head) === 0;
  // It has seen orders that this database does not know: an old backup was restored without raising the epoch.
  const isAhead = observed !== null && compareGenerations(observed, head) > 0;
  if (isRefused || isAhead || phase === 'degraded' || phase === 'held') return 'degraded';
  const isCommitted = committed !== null && compareGenerations(committed, head) === 0;
  return isCommitted && verdictOf({ ...head, digests: digestsIn(head.units) }, status) === 'committed'
    ? 'healthy'
    : 'progressing';
}

async function packBundle(
  { store, clock, trust, engines }: ServersDeps,
  server: Server,
  { envelope, units }: { envelope: Uint8Array; units: string },
  withEngine: boolean,
): Promise<Buffer> {
  const made_at = isoTime(clock.now());
  const bundle = {
    schema: 1,
    server_id: server.id,
    server_name: server.name,
    made_at,
    root_key: trust.root_key,
    trust: trust.trust,
    manifest: JSON.parse(Buffer.from(envelope).toString('utf8')) as Envelope,
  };
  const nameOf = (digest: string): string => `blobs/${digest.replace(':', '/')}`;
  const blobs = await Promise.all(
    [...new Set(digestsIn(units))].map(async (digest) => {
      const content = (await store.configs.content(digest)) ?? (await store.blobs.content(digest));
      if (!content) throw new ProblemError('rendition.not-found', `rendition ${digest}`);
      return { name: nameOf(digest), content };
    }),
  );
  for (const digest of withEngine ? new Set(enginesIn(units)) : [])
    blobs.push({ name: nameOf(digest), content: Buffer.from(await engines.content(digest)) });
  const description = Buffer.from(
    `${JSON.stringify(bundle satisfies Readonly<Record<keyof Bundle, unknown>>, null, 2)}\n`,
  );
  const archive = packTar([{ name: 'bundle.json', content: description }, ...blobs], clock.now());
  if (archive.length <= maxBundleBytes) return archive;
  throw new ProblemError('bundle.invalid', `it has ${archive.length} bytes; agents take ${maxBundleBytes}`, {
    fix: withEngine
      ? 'Make it without the engine, and put that into a directory that engine.source of the agent names.'
      : 'Name fewer or smaller rule-sets in the config.',
  });
}
