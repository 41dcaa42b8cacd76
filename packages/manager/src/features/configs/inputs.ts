import { lookup as lookUp } from 'node:dns/promises';
import { ProblemError, type Clock } from '@sbox/core';
import { sha256, sha256Text } from '@sbox/daemon/keys';
import { takesNodes, type Json } from '@sbox/engines/sing-box/render';
import {
  fillTemplate,
  hostsToResolve,
  patchDocument,
  resolveHosts,
  validatePipeline,
  type Lookup,
  type PipelineSource,
} from '@sbox/pipeline';
import { parseSubscription, type Node } from '@sbox/formats';
import type { Template } from '@sbox/protocol/pipeline';
import { canonicalJson } from '@sbox/protocol';
import type { Repositories, Store } from '../../database/store.ts';
import type { RuleSets } from '../rule-sets/rule-sets-service.ts';
import { factsOf } from '../servers/server-facts.ts';
import { freezeRecipe, type FrozenRecipe } from '../settings/freeze-recipe.ts';
import type { Recipient, SettingLayer } from '../settings/layers.ts';
import { isParamKey, isRendered } from '../settings/setting-keys.ts';
import { findTemplate } from '../templates/templates-service.ts';
import type { Config } from './configs-repository.ts';
import { maxPipelineMs, skeletonOf, type SnapshotRef, type VersionInputs } from './rendering.ts';
import { ruleSetUrls, variantFor } from './variants.ts';

export interface InputsDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly ruleSets: Pick<RuleSets, 'freeze'>;
  readonly lookup: Lookup;
  /** Aborts when the manager stops. */
  readonly stopping: AbortSignal;
}

/** What a version is made from. */
export type Recipe = Pick<
  Config,
  | 'id'
  | 'version'
  | 'engine'
  | 'settings'
  | 'subscriptions'
  | 'pipeline'
  | 'template'
  | 'patch'
  | 'tests'
  | 'tests_block'
>;

export const lookupBySystem: Lookup = async (host) => (await lookUp(host, { all: true })).map(({ address }) => address);

const resolving = { concurrency: 16, timeoutMs: 3000 };
/** For all hosts of a config: somebody waits for the version. */
const resolvingMs = 30_000;
const maxHosts = 5000;
/** Of one config; each is a file that every server fetches. */
const maxRuleSets = 200;
/** Longer ones do not fit into the index of a database. */
const maxUrlLength = 2000;

/**
 * What a recipe uses now, frozen: snapshots, addresses, settings, the filled template, rule-sets. `layers` of settings
 * are those that are stored, or others to see what would be.
 * @throws ProblemError `config.no-nodes` without details when no subscription has a version; `pipeline.invalid`,
 * `template.*`, `rule-set.unavailable`
 */
export async function freezeInputs(
  deps: InputsDeps,
  recipe: Recipe,
  layers?: readonly SettingLayer[],
): Promise<VersionInputs> {
  const { store } = deps;
  const { pipeline, tests } = recipe;
  const { settings, ...written } = await fillRecipe(store, recipe, layers ?? (await store.settings.layers()));
  const { skeleton, template, fill, layers: frozen } = written;
  const filled = skeleton && template && { template, skeleton };
  const found = await findSnapshots(store, recipe.subscriptions);
  if (found.length === 0 && (recipe.subscriptions.length > 0 || filled === undefined))
    throw new ProblemError('config.no-nodes', 'no subscription of this config has nodes yet');
  const snapshots = found.map(({ snapshot }) => snapshot);
  const sources = found.map(({ name }) => name);
  const urls = await namedRuleSets(store, recipe, { engine: 'sing-box', snapshots, settings, ...written });
  if (new Set(urls).size > maxRuleSets)
    throw new ProblemError('template.invalid', `the config names more than ${maxRuleSets} rule-sets`);
  if (urls.some(({ length }) => length > maxUrlLength))
    throw new ProblemError('template.invalid', `the address of a rule-set is longer than ${maxUrlLength} characters`);
  const rule_sets = await deps.ruleSets.freeze(urls);
  const addresses = await findAddresses(deps, { snapshots, sources }, recipe);
  return {
    engine: recipe.engine as 'sing-box',
    snapshots,
    settings,
    ...(pipeline.length === 0 ? {} : { pipeline, sources }),
    ...(addresses === undefined ? {} : { addresses }),
    ...filled,
    ...(rule_sets.length === 0 ? {} : { rule_sets }),
    ...(tests.length === 0 ? {} : { tests }),
    ...(frozen === undefined ? {} : { layers: frozen }),
    ...(fill === undefined ? {} : { fill }),
  };
}

/** Of what nobody in particular gets, of each layer alone, and of the servers that run the config. */
async function namedRuleSets(
  store: Pick<Repositories, 'servers'>,
  { id }: Pick<Recipe, 'id'>,
  inputs: VersionInputs,
): Promise<string[]> {
  const { layers = [] } = inputs;
  const urls = new Set(ruleSetUrls(inputs));
  // Only parameters can bring in a rule-set.
  if (!layers.some(({ values }) => Object.keys(values).some(isParamKey))) return [...urls];
  const add = (given: VersionInputs, facts: Partial<Recipient>): void => {
    for (const url of ruleSetUrls(variantFor(given, facts).inputs)) urls.add(url);
  };
  for (const layer of layers) add({ ...inputs, layers: [{ ...layer, scope: 'global' }] }, {});
  const assigned = (await store.servers.assignments({ configId: id })).map(({ server_id }) => server_id);
  for (const server of await store.servers.findMany(assigned)) add(inputs, factsOf(server));
  return [...urls];
}

/**
 * Everything about a recipe that can be wrong before it meets a node.
 * @throws ProblemError `pipeline.invalid`, `template.*`, `request.invalid`
 */
export async function checkRecipe(
  store: Pick<Repositories, 'templates' | 'settings'>,
  recipe: Pick<Recipe, 'engine' | 'settings' | 'subscriptions' | 'pipeline' | 'template' | 'patch'>,
): Promise<void> {
  validatePipeline(recipe.pipeline);
  const { skeleton } = await fillRecipe(store, recipe, await store.settings.layers());
  if (recipe.subscriptions.length === 0 && skeleton === undefined)
    throw new ProblemError('request.invalid', 'subscriptions: the template mixed needs at least one', {
      details: { issues: [{ where: 'body', field: 'subscriptions', message: 'must have at least one item' }] },
    });
  if (recipe.subscriptions.length > 0 && skeleton && !takesNodes(skeleton))
    throw new ProblemError('template.invalid', `the template ${recipe.template.name} has no place for nodes`, {
      fix: 'Leave subscriptions empty, or choose another template.',
    });
}

type Filled = Pick<VersionInputs, 'settings' | 'template' | 'skeleton' | 'layers' | 'fill'>;
type Choice = Pick<Recipe, 'engine' | 'settings' | 'template' | 'patch'>;

/** Whether a config is made from its settings, as every config was before there were templates. */
export const isPlain = ({ template: { name, version, params } }: Pick<Choice, 'template'>): boolean =>
  name === 'mixed' && version === undefined && Object.keys(params).length === 0;

/** What a recipe reads of the layers. @throws ProblemError `template.not-found`, `template.version-not-found` */
export async function readSettings(
  store: Pick<Repositories, 'templates'>,
  recipe: Choice,
  layers: readonly SettingLayer[],
): Promise<{ frozen: FrozenRecipe; found: Awaited<ReturnType<typeof findTemplate>> | undefined }> {
  const { engine, settings, template: choice } = recipe;
  const found = isPlain(recipe) ? undefined : await findTemplate(store, choice.name, choice.version);
  const reader = { engine, settings, params: choice.params, template: found?.template };
  return { frozen: freezeRecipe(layers, reader), found };
}

/**
 * Settings may be written while the first version of a config is made: nobody would make another one for them.
 * @throws ProblemError `internal.unavailable`
 */
export async function refuseStale(
  store: Pick<Repositories, 'templates' | 'settings'>,
  recipe: Choice,
  { settings, layers = [] }: VersionInputs,
): Promise<void> {
  const { frozen } = await readSettings(store, recipe, await store.settings.layers());
  const isSame = canonicalJson([frozen.settings, frozen.layers]) === canonicalJson([settings, layers]);
  if (!isSame) throw new ProblemError('internal.unavailable', 'settings were written meanwhile: send it again');
}

/** Without a skeleton for a plain config: it is what `settings` give. */
async function fillRecipe(
  store: Pick<Repositories, 'templates'>,
  recipe: Choice,
  given: readonly SettingLayer[],
): Promise<Filled> {
  const { patch } = recipe;
  const { frozen, found } = await readSettings(store, recipe, given);
  const { settings, params, layers } = frozen;
  const varying = layers.length === 0 ? {} : { layers };
  const isVaried = layers.some(({ values }) => Object.keys(values).some(isRendered));
  if (!found) {
    if (patch.length === 0) return { settings, ...varying };
    const skeleton = patchDocument(skeletonOf({ settings }), patch);
    return {
      settings,
      template: { name: recipe.template.name, version: null },
      skeleton,
      ...varying,
      ...(isVaried ? { fill: { patch } } : {}),
    };
  }
  const document: Json = fillTemplate(found.template, params);
  const template: Template = found.template;
  return {
    settings,
    template: { name: recipe.template.name, version: found.version },
    skeleton: patch.length === 0 ? document : patchDocument(document, patch),
    ...varying,
    ...(isVaried ? { fill: { template, params, patch } } : {}),
  };
}

async function findSnapshots(
  { subscriptions }: Pick<Repositories, 'subscriptions'>,
  ids: readonly string[],
): Promise<{ name: string; snapshot: SnapshotRef }[]> {
  const rows = new Map((await subscriptions.findMany(ids)).map((row) => [row.id, row]));
  const found = [];
  for (const id of ids) {
    const row = rows.get(id);
    const version = row?.pinned_version ?? row?.version;
    const snapshot = version ? await subscriptions.findVersion(id, version) : undefined;
    if (row && snapshot)
      found.push({
        name: row.name,
        snapshot: { subscription_id: id, version: snapshot.version, digest: snapshot.digest },
      });
  }
  return found;
}

/** A host that cannot be looked up now keeps what it had in the newest version: an outage of the resolver changes nothing. */
async function findAddresses(
  { store, lookup, clock, stopping }: InputsDeps,
  inputs: Pick<VersionInputs, 'snapshots' | 'sources'>,
  { id, version, pipeline }: Pick<Recipe, 'id' | 'version' | 'pipeline'>,
): Promise<VersionInputs['addresses']> {
  if (!pipeline.some(({ operator, enabled }) => operator === 'resolve' && enabled !== false)) return undefined;
  const sources = await loadSources(store, inputs);
  const hosts = hostsToResolve(sources, pipeline, { maxMs: maxPipelineMs }).slice(0, maxHosts);
  const newest = version === null ? undefined : await store.configs.findVersion(id, version);
  const before = new Map(Object.entries(newest?.inputs.addresses ?? {}));
  const endMs = clock.monotonic() + resolvingMs;
  const inTime: Lookup = async (host, signal) => (clock.monotonic() < endMs ? await lookup(host, signal) : []);
  const now = await resolveHosts(hosts, inTime, { ...resolving, clock, signal: stopping });
  const found = hosts.flatMap((host): [string, readonly string[]][] => {
    const addresses = now.get(host) ?? before.get(host);
    return addresses ? [[host, addresses]] : [];
  });
  // In one order, so that the same answers make the same version.
  const sorted = found.map(([host, addresses]) => [host, addresses.toSorted()] as const);
  return Object.fromEntries(sorted.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Larger documents are not read again only to say in which line a node stands. */
const maxLinesBytes = 1024 * 1024;

/** The nodes of the snapshots. @throws ProblemError `subscription.version-not-found` */
export async function loadSources(
  { subscriptions }: Pick<Repositories, 'subscriptions'>,
  { snapshots, sources }: Pick<VersionInputs, 'snapshots' | 'sources'>,
  { withLines = false }: { readonly withLines?: boolean } = {},
): Promise<PipelineSource[]> {
  // Versions of before pipelines froze no names; only the list for kept choices uses them there.
  const names = new Map(
    sources
      ? []
      : (await subscriptions.findMany(snapshots.map((one) => one.subscription_id))).map((row) => [row.id, row.name]),
  );
  const loaded: PipelineSource[] = [];
  for (const [index, { subscription_id, version }] of snapshots.entries()) {
    const parsed = await subscriptions.parsed(subscription_id, version);
    // Without it other bytes would go by the name of this version.
    if (!parsed)
      throw new ProblemError(
        'subscription.version-not-found',
        `snapshot ${version} of ${subscription_id}, which this version was made from, was deleted with its subscription`,
        { fix: 'Generate a new version of the config.' },
      );
    const content = withLines ? await subscriptions.content(subscription_id, version) : undefined;
    loaded.push({
      subscription: sources?.[index] ?? names.get(subscription_id) ?? subscription_id,
      nodes: parsed.nodes,
      ...(content && content.length <= maxLinesBytes ? { lines: linesOf(content, parsed.nodes) } : {}),
    });
  }
  return loaded;
}

/** By id, copies in their order: a newer sbox may read more nodes out of the same content than were stored then. */
function linesOf(content: Uint8Array, stored: readonly Node[]): (number | undefined)[] {
  try {
    const { nodes, lines = [] } = parseSubscription(content, { sha256, sha256Text, withLines: true });
    const byId = Map.groupBy(
      nodes.map(({ id }, index) => ({ id, line: lines[index] })),
      ({ id }) => id,
    );
    return stored.map(({ id }) => byId.get(id)?.shift()?.line);
  } catch (error) {
    if (error instanceof ProblemError) return [];
    throw error;
  }
}
