import { isoTime, ProblemError } from '@sbox/core';
import { profileKey, type EngineTarget, type Rendered, type RuleSetContents } from '@sbox/engines/sing-box/render';
import type { PipelineResult, PolicyFinding } from '@sbox/pipeline';
import type { Repositories, Store } from '../../database/store.ts';
import { refuseFailed, runTests } from './config-tests.ts';
import { loadRuleSets } from './rule-set-contents.ts';
import type { ConfigVersion } from './config-versions-repository.ts';
import type { Config } from './configs-repository.ts';
import type { CheckFile, LocalEngine } from './engine-check.ts';
import { chooseEngine, fallbackTarget, targetOf } from '../engines/engine-choice.ts';
import { refuseDenied, type PolicyJudge } from '../policies/policy-judge.ts';
import { factsOf } from '../servers/server-facts.ts';
import type { Server } from '../servers/servers-repository.ts';
import type { Recipient, SettingLayer } from '../settings/layers.ts';
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
import { refuseUnfrozen, variantFor, type Variant } from './variants.ts';
import { publishedMarks } from './version-marks.ts';

/** A version before it has a number. */
export interface MadeVersion {
  readonly inputs: VersionInputs;
  /** What the pipeline made of the snapshots. */
  readonly piped: PipelineResult['nodes'];
  readonly made: readonly MadeRendition[];
}

export interface VersionsDeps extends InputsDeps {
  readonly engine: LocalEngine | undefined;
  readonly judge: PolicyJudge;
}

export interface Versions {
  /** What a recipe uses now, or would use with other layers of settings. @throws ProblemError of `freezeInputs` */
  inputsNow(recipe: Recipe, layers?: readonly SettingLayer[]): Promise<VersionInputs>;
  /**
   * Renders for every target and every variant that servers of the config have.
   * @throws ProblemError of rendering and checking, `config.test-failed`, or when a snapshot is gone
   */
  make(
    inputs: VersionInputs,
    serverIds: readonly string[],
    how: { readonly testsBlock: boolean },
  ): Promise<MadeVersion>;
  /** For one target, by default the manager's own, and nobody in particular; nothing is judged and nothing stored. */
  renderFor(
    inputs: VersionInputs,
    target?: EngineTarget,
    facts?: Partial<Recipient>,
  ): Promise<{ made: MadeRendition; nodes: number; piped: PipelineResult['nodes'] }>;
  /** What the manager's own engine says; null when it has none of that version. */
  check(made: MadeRendition): Promise<{ ok: boolean; message: string } | null>;
  /** What renders these inputs for any target, as often as is wanted. */
  rendererOf(inputs: VersionInputs): Promise<(target: EngineTarget) => Rendered>;
  /** Stores the version under the next number, or gives the newest one when it is the same. */
  store(tx: Repositories, config: Config, made: MadeVersion, of: VersionOrigin): Promise<StoredVersion>;
  /** Renders a version for all of these servers and the engine they get. @throws ProblemError of rendering, `engine.build-not-found` */
  prepare(version: ConfigVersion, servers: readonly Server[], engine: string): Promise<void>;
  /** The digest that a server with this target and these facts runs; rendered from the frozen inputs when it was not yet. */
  ensureRendition(
    tx: Repositories,
    version: ConfigVersion,
    target: EngineTarget,
    facts: Partial<Recipient>,
  ): Promise<ConfigVersion['renditions'][number]>;
}

export interface VersionOrigin {
  readonly author: string;
  readonly message: string;
  readonly rollback_of?: number;
  /** It is not published. */
  readonly draft?: boolean;
  /** What the policies say of it. */
  readonly findings?: readonly PolicyFinding[];
}
export interface StoredVersion {
  readonly created: boolean;
  readonly version: ConfigVersion;
}

export function createVersions(deps: VersionsDeps): Versions {
  const { store, clock, engine, judge } = deps;
  const ownTarget = engine?.target ?? fallbackTarget;

  const check: Versions['check'] = async ({ rendition, text, contents }) => {
    if (!engine || profileKey(engine.target) !== rendition.profile) return null;
    return await engine.check(text, await filesFor(store, rendition, contents));
  };
  const piped = async (tx: Pick<Repositories, 'subscriptions'>, inputs: VersionInputs): Promise<PipelineResult> =>
    runInputs(await loadSources(tx, inputs), inputs);

  /** What policies saw when the version was published are the renditions of that day. */
  const judgeUnseen = async (version: ConfigVersion, kinds: readonly Kind[]): Promise<void> => {
    const { inputs, config_id: id } = version;
    if (kinds.length === 0 || !(await judge.hears(id))) return;
    const name = (await store.configs.find(id))?.name ?? '';
    const result = await piped(store, inputs);
    const made = kinds.map((kind) => renderKind(result, inputs, kind));
    const fix = 'A server gets this version in a form that no policy had seen. Mend its settings, or leave it out.';
    refuseDenied(await judge.judge({ id, name }, { inputs, piped: result.nodes, made }), fix);
  };

  return {
    inputsNow: async (recipe, layers) => await freezeInputs(deps, recipe, layers),
    async make(inputs, serverIds, { testsBlock }) {
      const result = await piped(store, inputs);
      const kinds = await kindsOf(store, serverIds, inputs, ownTarget);
      const made = kinds.map((kind) => renderKind(result, inputs, kind));
      const ruleSets: RuleSetContents = testsBlock && inputs.tests ? await loadRuleSets(store, inputs) : new Map();
      for (const rendition of made) {
        refuseFindings(rendition.findings);
        if (testsBlock) refuseFailed(runTests(inputs, rendition, ruleSets));
        const checked = await check(rendition);
        if (checked && !checked.ok) throw new ProblemError('engine.check-failed', checked.message);
      }
      return { inputs, piped: result.nodes, made };
    },
    async renderFor(inputs, target = ownTarget, facts = {}) {
      const result = await piped(store, inputs);
      const made = renderKind(result, inputs, { target, facts });
      return { made, nodes: result.nodes.length, piped: result.nodes };
    },
    check,
    async rendererOf(inputs) {
      const result = await piped(store, inputs);
      return (target) => compose(result, inputs, target);
    },
    store: async (tx, config, made, origin) =>
      await storeVersion(tx, config, made, { ...origin, created_at: isoTime(clock.now()) }),
    async prepare(version, servers, wanted) {
      const wantedKinds = await kindsToSend(store, version.inputs, servers, wanted);
      await judgeUnseen(
        version,
        wantedKinds.filter((kind) => !isRendered(version, kind)),
      );
      for (const { target, facts } of wantedKinds)
        await store.transaction(async (tx) => await this.ensureRendition(tx, version, target, facts));
    },
    async ensureRendition(tx, version, target, facts) {
      const profile = profileKey(target);
      const { variant } = variantFor(version.inputs, facts);
      const known = version.renditions.find((one) => one.profile === profile && one.variant === variant);
      if (known) return known;
      const made = renderKind(await piped(tx, version.inputs), version.inputs, { target, facts });
      refuseFindings(made.findings);
      await insertRendition(tx, version, made);
      return made.rendition;
    },
  };
}

/** What tells renditions of one version apart. */
interface Kind {
  readonly target: EngineTarget;
  readonly facts: Partial<Recipient>;
}

const isRendered = ({ renditions, inputs }: ConfigVersion, { target, facts }: Kind): boolean => {
  const [wanted, { variant: own }] = [profileKey(target), variantFor(inputs, facts)];
  return renditions.some(({ profile, variant }) => profile === wanted && variant === own);
};

async function kindsToSend(
  store: Store,
  inputs: VersionInputs,
  servers: readonly Server[],
  deployed: string,
): Promise<Kind[]> {
  const kinds: Kind[] = [];
  for (const server of servers) {
    const facts = factsOf(server);
    const { target } = await chooseEngine(store, server, buildFor(inputs, facts, deployed));
    kinds.push({ target, facts });
  }
  return distinct(kinds, inputs);
}

/** One of each profile and variant. */
const distinct = (kinds: readonly Kind[], inputs: VersionInputs): Kind[] => [
  ...new Map(
    kinds.map((kind) => [`${profileKey(kind.target)}\n${ownVariant(inputs, kind.facts).variant}`, kind]),
  ).values(),
];

/** @throws ProblemError of `variantFor`, with the name of the server that has these values */
const ownVariant = (inputs: VersionInputs, facts: Partial<Recipient>): Variant =>
  namingServer(inputs, facts, () => variantFor(inputs, facts));

/** @throws ProblemError of rendering */
const renderKind = (piped: PipelineResult, inputs: VersionInputs, { target, facts }: Kind): MadeRendition =>
  namingServer(inputs, facts, () => {
    const found = variantFor(inputs, facts);
    refuseUnfrozen(found);
    const { rendition, ...made } = makeRendition(piped, found.inputs, target);
    return { ...made, rendition: { ...rendition, variant: found.variant, differs: found.differs } };
  });

/** A problem says for which server it is one, where that may have values of its own. */
function namingServer<T>({ layers = [] }: VersionInputs, { server = '' }: Partial<Recipient>, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof ProblemError) || server === '' || layers.length === 0) throw error;
    const { code, message, details, fix } = error;
    const more = { ...(details === undefined ? {} : { details }), fix, cause: error };
    throw new ProblemError(code, `for server ${server}: ${message}`, more);
  }
}

/** The version of the engine that somebody is given: a layer that is for them says more than a deployment to many. */
export function buildFor(inputs: VersionInputs, facts: Partial<Recipient>, deployed: string): string {
  const own = ownVariant(inputs, facts).inputs.settings.engine_build;
  return own === inputs.settings.engine_build ? deployed : (own ?? deployed);
}

async function insertRendition(
  tx: Pick<Repositories, 'blobs' | 'configs'>,
  version: Pick<ConfigVersion, 'config_id' | 'version'>,
  { rendition, text, contents }: MadeRendition,
): Promise<void> {
  const line = `nodes of ${version.config_id}`;
  for (const [digest, content] of contents) await tx.blobs.add(digest, content, { line });
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
  {
    author,
    message,
    rollback_of,
    created_at,
    draft = false,
    findings = [],
  }: VersionOrigin & { readonly created_at: string },
): Promise<StoredVersion> {
  const digest = inputsDigest(inputs);
  const known = rollback_of === undefined ? await sameVersion(tx, config, { digest, draft }, made) : undefined;
  if (known) return { created: false, version: known };
  const row = {
    config_id: config.id,
    version: config.last_number + 1,
    digest,
    inputs,
    nodes: piped.length,
    author,
    message,
    rollback_of: rollback_of ?? null,
    created_at,
  };
  const marks = { ...publishedMarks(row), findings, ...(draft && draftMarks) };
  await tx.configs.insertVersion({ ...row, ...marks });
  for (const rendition of made) await insertRendition(tx, row, rendition);
  await tx.configs.update(config.id, { last_number: row.version, ...(!draft && { version: row.version }) });
  const event = draft ? 'config.version-drafted' : 'config.version-created';
  await tx.events.add(event, { config_id: config.id, version: row.version, digest });
  return { created: true, version: { ...row, ...marks, renditions: made.map(({ rendition }) => rendition) } };
}

const draftMarks = { state: 'draft', published_at: null, published_by: null } as const;

/** The newest version when it is the same; for a draft also the newest draft after it. */
async function sameVersion(
  tx: Repositories,
  { id, version, last_number }: Config,
  { digest, draft }: { readonly digest: string; readonly draft: boolean },
  made: readonly MadeRendition[],
): Promise<ConfigVersion | undefined> {
  const newest = version === null ? undefined : await tx.configs.findVersion(id, version);
  const last = draft && last_number !== version ? await tx.configs.findVersion(id, last_number) : undefined;
  return [last, newest].find((one) => one?.digest === digest && hasAll(one, made));
}

/** A rendition that the newest version lacks makes no new version: its inputs are the same, it is only added later. */
const hasAll = ({ renditions }: ConfigVersion, made: readonly MadeRendition[]): boolean =>
  made.every(({ rendition }) => {
    const known = renditions.find(
      ({ profile, variant }) => profile === rendition.profile && variant === rendition.variant,
    );
    return known === undefined || known.digest === rendition.digest;
  });

/**
 * The manager's own target and what the servers have, each profile and variant once. An engine that nothing can be
 * rendered for holds up only its own server: a deployment to it says why.
 */
async function kindsOf(
  store: Store,
  serverIds: readonly string[],
  inputs: VersionInputs,
  own: EngineTarget,
): Promise<Kind[]> {
  const assigned = new Map((await store.servers.assignments({ serverIds })).map((one) => [one.server_id, one.engine]));
  const pinned = inputs.settings.engine_build;
  const kinds: Kind[] = [{ target: own, facts: {} }];
  for (const server of await store.servers.findMany(serverIds)) {
    const facts = factsOf(server);
    const wanted = buildFor(inputs, facts, pinned ?? assigned.get(server.id) ?? '');
    const choice = await chooseEngine(store, server, wanted).catch(ignoreProblem);
    const isKnown = choice?.build !== undefined || targetOf(server.engines) !== undefined;
    if (choice !== undefined && isKnown && isRenderable(choice.target)) kinds.push({ target: choice.target, facts });
  }
  return distinct(kinds, inputs);
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
