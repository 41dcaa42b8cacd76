import { isoTime, ProblemError, type Clock } from '@sbox/core';
import { profileKey, type EngineTarget } from '@sbox/engines/sing-box/render';
import type { Node } from '@sbox/formats';
import type { Repositories, Store } from '../../database/store.ts';
import type { Config, ConfigVersion } from './configs-repository.ts';
import type { LocalEngine } from './engine-check.ts';
import {
  inputsDigest,
  makeRendition,
  pipeline,
  refuseFindings,
  type MadeRendition,
  type VersionInputs,
} from './rendering.ts';

/** Used where neither a server nor the manager has an engine: what the packages of sing-box 1.12 are built with. */
export const fallbackTarget: EngineTarget = {
  engine: 'sing-box',
  version: '1.12.0',
  tags: ['with_quic', 'with_utls', 'with_wireguard', 'with_gvisor', 'with_clash_api'],
};

/** A version before it has a number. */
export interface MadeVersion {
  readonly inputs: VersionInputs;
  readonly nodes: number;
  readonly made: readonly MadeRendition[];
}

export interface VersionsDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly engine: LocalEngine | undefined;
}

type Engines = readonly { readonly kind: string; readonly version: string; readonly tags: readonly string[] }[];

export interface Versions {
  /** What a recipe uses now. @throws ProblemError `config.no-nodes` when no subscription has a version */
  inputsNow(recipe: Pick<Config, 'engine' | 'settings' | 'subscriptions'>): Promise<VersionInputs>;
  /** Renders for every target that servers of the config have. @throws ProblemError of rendering and checking, or when a snapshot is gone */
  make(inputs: VersionInputs, serverIds: readonly string[]): Promise<MadeVersion>;
  /** Looks at the inputs without judging them. */
  inspect(
    inputs: VersionInputs,
  ): Promise<{ made: MadeRendition; nodes: number; check: { ok: boolean; message: string } | null }>;
  /** Stores the version under the next number, or gives the newest one when it is the same. */
  store(tx: Repositories, config: Config, made: MadeVersion, of: VersionOrigin): Promise<StoredVersion>;
  /** Renders a version for all of these servers. @throws ProblemError of rendering */
  prepare(version: ConfigVersion, servers: readonly { readonly engines: Engines }[]): Promise<void>;
  /** The digest that a server with this target runs; rendered from the frozen inputs when it was not yet. */
  ensureRendition(
    tx: Repositories,
    version: ConfigVersion,
    target: EngineTarget,
  ): Promise<ConfigVersion['renditions'][number]>;
}

export interface VersionOrigin {
  readonly author: string;
  readonly message: string;
  readonly rollback_of?: number;
}
export interface StoredVersion {
  readonly created: boolean;
  readonly version: ConfigVersion;
}

export function createVersions({ store, clock, engine }: VersionsDeps): Versions {
  const ownTarget = engine?.target ?? fallbackTarget;

  const ask = async ({ rendition, text }: MadeRendition): Promise<{ ok: boolean; message: string } | null> =>
    engine && profileKey(engine.target) === rendition.profile ? await engine.check(text) : null;

  return {
    async inputsNow({ engine: kind, settings, subscriptions }) {
      const rows = new Map((await store.subscriptions.findMany(subscriptions)).map((row) => [row.id, row]));
      const snapshots = [];
      for (const id of subscriptions) {
        const row = rows.get(id);
        const version = row?.pinned_version ?? row?.version;
        const snapshot = version ? await store.subscriptions.findVersion(id, version) : undefined;
        if (snapshot) snapshots.push({ subscription_id: id, version: snapshot.version, digest: snapshot.digest });
      }
      if (snapshots.length === 0)
        throw new ProblemError('config.no-nodes', 'no subscription of this config has nodes yet');
      return { engine: kind as 'sing-box', snapshots, settings };
    },
    async make(inputs, serverIds) {
      const nodes = await loadNodes(store, inputs);
      const targets = await targetsOf(store, serverIds, ownTarget);
      const made = targets.map((target) => makeRendition(nodes, inputs, target));
      for (const rendition of made) {
        refuseFindings(rendition.findings);
        const check = await ask(rendition);
        if (check && !check.ok) throw new ProblemError('engine.check-failed', check.message);
      }
      return { inputs, nodes: nodes.length, made };
    },
    async inspect(inputs) {
      const nodes = await loadNodes(store, inputs);
      const made = makeRendition(nodes, inputs, ownTarget);
      return { made, nodes: nodes.length, check: await ask(made) };
    },
    store: async (tx, config, made, origin) =>
      await storeVersion(tx, config, made, { ...origin, created_at: isoTime(clock.now()) }),
    async prepare(version, servers) {
      const targets = servers.map(({ engines }) => targetOf(engines) ?? fallbackTarget);
      const distinct = new Map(targets.map((target) => [profileKey(target), target])).values();
      for (const target of distinct)
        await store.transaction(async (tx) => await this.ensureRendition(tx, version, target));
    },
    async ensureRendition(tx, version, target) {
      const profile = profileKey(target);
      const known = version.renditions.find((rendition) => rendition.profile === profile);
      if (known) return known;
      const made = makeRendition(await loadNodes(tx, version.inputs), version.inputs, target);
      refuseFindings(made.findings);
      await tx.configs.insertRendition(version, made.rendition, made.text);
      return made.rendition;
    },
  };
}

async function storeVersion(
  tx: Repositories,
  config: Config,
  { inputs, nodes, made }: MadeVersion,
  { author, message, rollback_of, created_at }: VersionOrigin & { readonly created_at: string },
): Promise<StoredVersion> {
  const digest = inputsDigest(inputs);
  const newest = config.version === null ? undefined : await tx.configs.findVersion(config.id, config.version);
  if (newest && rollback_of === undefined && newest.digest === digest && hasAll(newest, made))
    return { created: false, version: newest };
  const row = {
    config_id: config.id,
    version: (config.version ?? 0) + 1,
    digest,
    inputs,
    nodes,
    author,
    message,
    rollback_of: rollback_of ?? null,
    created_at,
  };
  await tx.configs.insertVersion(row);
  for (const { rendition, text } of made) await tx.configs.insertRendition(row, rendition, text);
  await tx.configs.update(config.id, { version: row.version });
  await tx.events.add('config.version-created', { config_id: config.id, version: row.version, digest });
  return { created: true, version: { ...row, renditions: made.map(({ rendition }) => rendition) } };
}

/** A rendition that the newest version lacks makes no new version: its inputs are the same, it is only added later. */
const hasAll = ({ renditions }: ConfigVersion, made: readonly MadeRendition[]): boolean =>
  made.every(({ rendition }) => {
    const known = renditions.find(({ profile }) => profile === rendition.profile);
    return known === undefined || known.digest === rendition.digest;
  });

async function loadNodes(
  { subscriptions }: Pick<Repositories, 'subscriptions'>,
  { snapshots }: VersionInputs,
): Promise<Node[]> {
  const lists = [];
  for (const { subscription_id, version } of snapshots) {
    const parsed = await subscriptions.parsed(subscription_id, version);
    // Without it other bytes would go by the name of this version.
    if (!parsed)
      throw new ProblemError(
        'subscription.version-not-found',
        `snapshot ${version} of ${subscription_id}, which this version was made from, was deleted with its subscription`,
        { fix: 'Generate a new version of the config.' },
      );
    lists.push(parsed.nodes);
  }
  return pipeline(lists);
}

/**
 * The manager's own target and those of the servers, each once. An engine that nothing can be rendered for holds up only
 * its own server: a deployment to it says why.
 */
async function targetsOf(store: Store, serverIds: readonly string[], own: EngineTarget): Promise<EngineTarget[]> {
  const servers = await store.servers.findMany(serverIds);
  const targets = [own, ...servers.flatMap((server) => targetOf(server.engines) ?? []).filter(isRenderable)];
  return [...new Map(targets.map((target) => [profileKey(target), target])).values()];
}

function isRenderable(target: EngineTarget): boolean {
  try {
    profileKey(target);
    return true;
  } catch (error) {
    if (error instanceof ProblemError) return false;
    throw error;
  }
}

/** What a server's engine is, as rendering wants it; undefined when it has none that is known. */
export function targetOf(engines: Engines): EngineTarget | undefined {
  const engine = engines.find(({ kind }) => kind === 'sing-box');
  return engine && { engine: 'sing-box', version: engine.version, tags: engine.tags };
}
