import { isoTime, ProblemError } from '@sbox/core';
import { profileKey, type EngineTarget, type Rendered, type RuleSetContents } from '@sbox/engines/sing-box/render';
import type { PipelineResult } from '@sbox/pipeline';
import type { Repositories, Store } from '../../database/store.ts';
import { refuseFailed, runTests } from './config-tests.ts';
import { loadRuleSets } from './rule-set-contents.ts';
import type { Config, ConfigVersion } from './configs-repository.ts';
import type { CheckFile, LocalEngine } from './engine-check.ts';
import { chooseEngine, fallbackTarget, targetOf } from '../engines/engine-choice.ts';
import type { Server } from '../servers/servers-repository.ts';
import { freezeInputs, loadSources, type InputsDeps, type Recipe } from './inputs.ts';
import {
  compose,
  inputsDigest,
  makeRendition,
  refuseFindings,
  runInputs,
  type MadeRendition,
  type VersionInputs,
  type VersionRendition,
} from './rendering.ts';

/** A version before it has a number. */
export interface MadeVersion {
  readonly inputs: VersionInputs;
  /** What the pipeline made of the snapshots. */
  readonly piped: PipelineResult['nodes'];
  readonly made: readonly MadeRendition[];
}

export interface VersionsDeps extends InputsDeps {
  readonly engine: LocalEngine | undefined;
}

export interface Versions {
  /** What a recipe uses now. @throws ProblemError of `freezeInputs` */
  inputsNow(recipe: Recipe): Promise<VersionInputs>;
  /**
   * Renders for every target that servers of the config have.
   * @throws ProblemError of rendering and checking, `config.test-failed`, or when a snapshot is gone
   */
  make(
    inputs: VersionInputs,
    serverIds: readonly string[],
    how: { readonly testsBlock: boolean },
  ): Promise<MadeVersion>;
  /** For one target, by default the manager's own; nothing is judged and nothing stored. */
  renderFor(inputs: VersionInputs, target?: EngineTarget): Promise<{ made: MadeRendition; nodes: number }>;
  /** What the manager's own engine says; null when it has none of that version. */
  check(made: MadeRendition): Promise<{ ok: boolean; message: string } | null>;
  /** What renders these inputs for any target, as often as is wanted. */
  rendererOf(inputs: VersionInputs): Promise<(target: EngineTarget) => Rendered>;
  /** Stores the version under the next number, or gives the newest one when it is the same. */
  store(tx: Repositories, config: Config, made: MadeVersion, of: VersionOrigin): Promise<StoredVersion>;
  /** Renders a version for all of these servers and the engine they get. @throws ProblemError of rendering, `engine.build-not-found` */
  prepare(version: ConfigVersion, servers: readonly Server[], engine: string): Promise<void>;
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

export function createVersions(deps: VersionsDeps): Versions {
  const { store, clock, engine } = deps;
  const ownTarget = engine?.target ?? fallbackTarget;

  const check: Versions['check'] = async ({ rendition, text, contents }) => {
    if (!engine || profileKey(engine.target) !== rendition.profile) return null;
    return await engine.check(text, await filesFor(store, rendition, contents));
  };
  const piped = async (tx: Pick<Repositories, 'subscriptions'>, inputs: VersionInputs): Promise<PipelineResult> =>
    runInputs(await loadSources(tx, inputs), inputs);

  return {
    inputsNow: async (recipe) => await freezeInputs(deps, recipe),
    async make(inputs, serverIds, { testsBlock }) {
      const result = await piped(store, inputs);
      const targets = await targetsOf(store, serverIds, inputs.settings.engine_build, ownTarget);
      const made = targets.map((target) => makeRendition(result, inputs, target));
      const ruleSets: RuleSetContents = testsBlock && inputs.tests ? await loadRuleSets(store, inputs) : new Map();
      for (const rendition of made) {
        refuseFindings(rendition.findings);
        if (testsBlock) refuseFailed(runTests(inputs, rendition, ruleSets));
        const checked = await check(rendition);
        if (checked && !checked.ok) throw new ProblemError('engine.check-failed', checked.message);
      }
      return { inputs, piped: result.nodes, made };
    },
    async renderFor(inputs, target = ownTarget) {
      const result = await piped(store, inputs);
      const made = makeRendition(result, inputs, target);
      return { made, nodes: result.nodes.length };
    },
    check,
    async rendererOf(inputs) {
      const result = await piped(store, inputs);
      return (target) => compose(result, inputs, target);
    },
    store: async (tx, config, made, origin) =>
      await storeVersion(tx, config, made, { ...origin, created_at: isoTime(clock.now()) }),
    async prepare(version, servers, wanted) {
      const targets: EngineTarget[] = [];
      for (const server of servers) targets.push((await chooseEngine(store, server, wanted)).target);
      const distinct = new Map(targets.map((target) => [profileKey(target), target])).values();
      for (const target of distinct)
        await store.transaction(async (tx) => await this.ensureRendition(tx, version, target));
    },
    async ensureRendition(tx, version, target) {
      const profile = profileKey(target);
      const known = version.renditions.find((rendition) => rendition.profile === profile);
      if (known) return known;
      const made = makeRendition(await piped(tx, version.inputs), version.inputs, target);
      refuseFindings(made.findings);
      await insertRendition(tx, version, made);
      return made.rendition;
    },
  };
}

async function insertRendition(
  tx: Pick<Repositories, 'blobs' | 'configs'>,
  version: Pick<ConfigVersion, 'config_id' | 'version'>,
  { rendition, text, contents }: MadeRendition,
): Promise<void> {
  for (const [digest, content] of contents) await tx.blobs.add(digest, content);
  await tx.configs.insertRendition(version, rendition, text);
}

/** What the text names by path; the engine's check opens it. */
async function filesFor(
  { blobs }: Pick<Repositories, 'blobs'>,
  { files }: VersionRendition,
  contents: MadeRendition['contents'],
): Promise<CheckFile[]> {
  const named = files.filter(({ digest }) => !contents.has(digest));
  const found = await Promise.all(
    named.map(async ({ path, digest }) => ({ path, content: await blobs.content(digest) })),
  );
  return found.flatMap(({ path, content }) => (content ? [{ path, content }] : []));
}

async function storeVersion(
  tx: Repositories,
  config: Config,
  { inputs, piped, made }: MadeVersion,
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
    nodes: piped.length,
    author,
    message,
    rollback_of: rollback_of ?? null,
    created_at,
  };
  await tx.configs.insertVersion(row);
  for (const rendition of made) await insertRendition(tx, row, rendition);
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

/**
 * The manager's own target and those of the servers, each once. An engine that nothing can be rendered for holds up only
 * its own server: a deployment to it says why.
 */
async function targetsOf(
  store: Store,
  serverIds: readonly string[],
  pinned: string | undefined,
  own: EngineTarget,
): Promise<EngineTarget[]> {
  const assigned = new Map((await store.servers.assignments({ serverIds })).map((one) => [one.server_id, one.engine]));
  const targets = [own];
  for (const server of await store.servers.findMany(serverIds)) {
    const choice = await chooseEngine(store, server, pinned ?? assigned.get(server.id) ?? '').catch(ignoreProblem);
    const isKnown = choice?.build !== undefined || targetOf(server.engines) !== undefined;
    if (choice !== undefined && isKnown && isRenderable(choice.target)) targets.push(choice.target);
  }
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

function ignoreProblem(error: unknown): undefined {
  if (!(error instanceof ProblemError)) throw error;
}
