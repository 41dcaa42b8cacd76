import { compareGenerations, isoTime, ProblemError, type Clock, type Envelope, type NewId } from '@sbox/core';
import { maxBundleBytes, type AgentStatus, type Bundle, type EngineReport, type Unit } from '@sbox/protocol';
import { readPage, toPage, type PageQuery } from '../../database/page.ts';
import type { Repositories, Store } from '../../database/store.ts';
import { verdictOf } from '../deployments/deployment-plan.ts';
import { digestsIn, enginesIn, isOrder } from '../deployments/manifests.ts';
import type { EnginesService } from '../engines/engines-service.ts';
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
    async list(query: PageQuery) {
      const page = readPage(query);
      const { items, next_cursor } = toPage(await store.servers.list(page), page.limit, ({ name }) => [name]);
      return { items: await show(items), next_cursor };
    },
    get: showOne,
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
    async addIsland({ name, engine }: { name: string; engine: EngineReport }) {
      const id = newId('srv');
      await store.transaction(async (tx) => {
        await refuseDouble(tx, name);
        const now = isoTime(clock.now());
        const blank = { agent: null, revision: 1, seen_at: null, status: null, created_at: now };
        await tx.servers.insert({ id, name, engines: [engine], ...blank });
        await tx.events.add('server.joined', { server_id: id, name });
      });
      presence.added(id, true);
      return await showOne(id);
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

export async function refuseDouble(tx: Repositories, name: string): Promise<void> {
  if (await tx.servers.find(name)) throw new ProblemError('server.exists', `server ${name} exists`);
}

function view({ presence, newestStatus }: ServersDeps, server: Server, newest: ManifestHead | undefined) {
  const head = newest && isOrder(newest.units) ? newest : undefined;
  const { agent, status: stored, ...rest } = server;
  const status = newestStatus(server.id) ?? stored;
  const isOffline = !presence.isIsland(server.id) && !presence.isOnline(server.id);
  const first = head && (JSON.parse(head.units) as { units: readonly Unit[] }).units[0];
  return {
    ...rest,
    status,
    state: stateOf(status, isOffline, head),
    agent_version: agent?.version ?? null,
    desired: head
      ? {
          epoch: head.epoch,
          generation: head.generation,
          config_id: first?.config.config_id ?? null,
          version: first?.config.version ?? null,
          engine: first?.engine_build?.version ?? null,
        }
      : null,
    seen_at: presence.seenAt(server.id) ?? server.seen_at,
    offline: isOffline,
  };
}

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
