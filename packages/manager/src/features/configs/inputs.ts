import { lookup as lookUp } from 'node:dns/promises';
import { ProblemError, type Clock } from '@sbox/core';
import { sha256, sha256Text } from '@sbox/daemon/keys';
import { remoteRuleSets, takesNodes, type Json } from '@sbox/engines/sing-box/render';
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
import type { Repositories, Store } from '../../database/store.ts';
import type { RuleSets } from '../rule-sets/rule-sets-service.ts';
import { findTemplate } from '../templates/templates-service.ts';
import type { Config } from './configs-repository.ts';
import { maxPipelineMs, skeletonOf, type SnapshotRef, type VersionInputs } from './rendering.ts';

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
 * What a recipe uses now, frozen: snapshots, addresses, the filled template, rule-sets.
 * @throws ProblemError `config.no-nodes` without details when no subscription has a version; `pipeline.invalid`,
 * `template.*`, `rule-set.unavailable`
 */
export async function freezeInputs(deps: InputsDeps, recipe: Recipe): Promise<VersionInputs> {
  const { store } = deps;
  const { settings, pipeline, tests } = recipe;
  const filled = await fillRecipe(store, recipe);
  const found = await findSnapshots(store, recipe.subscriptions);
  if (found.length === 0 && (recipe.subscriptions.length > 0 || filled === undefined))
    throw new ProblemError('config.no-nodes', 'no subscription of this config has nodes yet');
  const snapshots = found.map(({ snapshot }) => snapshot);
  const sources = found.map(({ name }) => name);
  const urls = remoteRuleSets(skeletonOf({ settings, ...filled })).map(({ url }) => url);
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
  };
}

/**
 * Everything about a recipe that can be wrong before it meets a node.
 * @throws ProblemError `pipeline.invalid`, `template.*`, `request.invalid`
 */
export async function checkRecipe(
  store: Pick<Repositories, 'templates'>,
  recipe: Pick<Recipe, 'settings' | 'subscriptions' | 'pipeline' | 'template' | 'patch'>,
): Promise<void> {
  validatePipeline(recipe.pipeline);
  const filled = await fillRecipe(store, recipe);
  if (recipe.subscriptions.length === 0 && filled === undefined)
    throw new ProblemError('request.invalid', 'subscriptions: the template mixed needs at least one', {
      details: { issues: [{ where: 'body', field: 'subscriptions', message: 'must have at least one item' }] },
    });
  if (recipe.subscriptions.length > 0 && filled && !takesNodes(filled.skeleton))
    throw new ProblemError('template.invalid', `the template ${recipe.template.name} has no place for nodes`, {
      fix: 'Leave subscriptions empty, or choose another template.',
    });
}

/** Undefined for what every config had before there were templates: `mixed` as `settings` say. */
async function fillRecipe(
  store: Pick<Repositories, 'templates'>,
  { settings, template: choice, patch }: Pick<Recipe, 'settings' | 'template' | 'patch'>,
): Promise<Required<Pick<VersionInputs, 'template' | 'skeleton'>> | undefined> {
  const { name, version, params } = choice;
  const isPlain = name === 'mixed' && version === undefined && Object.keys(params).length === 0;
  if (isPlain && patch.length === 0) return undefined;
  if (isPlain) {
    const skeleton = patchDocument(skeletonOf({ settings }), patch);
    return { template: { name, version: null }, skeleton };
  }
  const { template, version: used } = await findTemplate(store, name, version);
  const document: Json = fillTemplate(template, params);
  return {
    template: { name, version: used },
    skeleton: patch.length === 0 ? document : patchDocument(document, patch),
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

/** By id: a newer sbox may read more nodes out of the same content than were stored then. */
function linesOf(content: Uint8Array, stored: readonly Node[]): (number | undefined)[] {
  try {
    const { nodes, lines = [] } = parseSubscription(content, { sha256, sha256Text, withLines: true });
    const byId = new Map(nodes.map(({ id }, index) => [id, lines[index]]));
    return stored.map(({ id }) => byId.get(id));
  } catch (error) {
    if (error instanceof ProblemError) return [];
    throw error;
  }
}
