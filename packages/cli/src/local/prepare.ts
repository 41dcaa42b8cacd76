import {
  composeSingBox,
  defaultSkeleton,
  type EngineTarget,
  type Group,
  type Json,
  type Rendered,
  type RuleSetContents,
} from '@sbox/engines/sing-box/render';
import { uniqueTags, type Node } from '@sbox/formats';
import type { PipelineResult, PipelineSource } from '@sbox/pipeline';
import type { Pipeline } from '@sbox/protocol/pipeline';
import { text, texts, type Call } from '../command.ts';
import type { Addresses } from './piped.ts';
import type { Recipe } from './recipe.ts';
import type { Mirror } from './rule-sets.ts';
import { readSources } from './sources.ts';

/** A recipe with everything read that it names: what is left is to render it for an engine. */
export interface Prepared {
  readonly sources: readonly PipelineSource[];
  /** With what the exclusions add. */
  readonly pipeline: Pipeline;
  readonly addresses: Addresses;
  readonly nodes: readonly Node[];
  readonly groups: readonly Group[];
  /** Set when operators were run, or when it was asked for. */
  readonly result: PipelineResult | undefined;
  /** Rules of the fetched rule-sets, for questions about routes. */
  readonly ruleSets: RuleSetContents;
  /** @throws ProblemError of `composeSingBox` */
  readonly render: (target: EngineTarget) => Rendered;
}

export interface PrepareOptions {
  /** Runs the pipeline even when it is empty, for its trace. */
  readonly withTrace?: boolean;
  readonly withLines?: boolean;
}

/** Reads subscriptions, runs the operators, fills the template, fetches rule-sets where `--rule-sets` says so. */
export async function prepare(
  recipe: Recipe,
  call: Call,
  { withTrace = false, withLines = false }: PrepareOptions = {},
): Promise<Prepared> {
  const skeleton = await skeletonOf(recipe, call);
  const sources = await readSources(recipe.subscriptions, call, { withLines });
  const pipeline = [...(await exclusionsOf(call)), ...recipe.pipeline];
  const { addresses, nodes, groups, result } =
    pipeline.length === 0 && !withTrace ? bare(sources) : await piped(sources, pipeline, call);
  const dir = text(call, 'ruleSets');
  const mirror: Mirror | undefined =
    dir === undefined ? undefined : await (await import('./rule-sets.ts')).mirrorRuleSets(skeleton, dir, call);
  const rule_sets = mirror?.files ?? new Map();
  return {
    sources,
    pipeline,
    addresses,
    nodes,
    groups,
    result,
    ruleSets: mirror?.contents ?? new Map(),
    render: (target) => composeSingBox({ skeleton, nodes, groups, rule_sets }, target),
  };
}

/** The template with its parameters and the patch; loaded only where there is one. */
async function skeletonOf({ template, settings, patch }: Recipe, call: Call): Promise<Json> {
  if (template === undefined && patch.length === 0) return defaultSkeleton(settings);
  const { fillChoice, patched } = await import('./templates.ts');
  const filled =
    template === undefined ? defaultSkeleton(settings) : await fillChoice(template, texts(call, 'set'), call.host);
  return patched(filled, patch);
}

async function exclusionsOf(call: Call): Promise<Pipeline> {
  const { exclusions } = call.options;
  if (exclusions === undefined || exclusions === false) return [];
  const { exclusionStep } = await import('./exclusions.ts');
  return await exclusionStep(call, typeof exclusions === 'string' ? exclusions : undefined);
}

type Piped = Pick<Prepared, 'addresses' | 'nodes' | 'groups' | 'result'>;

/** Without operators the same node stays once, under a name of its own: nothing has to be loaded for that. */
function bare(sources: readonly PipelineSource[]): Piped {
  const once = new Map<string, Node>();
  for (const { nodes } of sources) for (const node of nodes) if (!once.has(node.id)) once.set(node.id, node);
  return { addresses: new Map(), nodes: uniqueTags([...once.values()]), groups: [], result: undefined };
}

async function piped(sources: readonly PipelineSource[], pipeline: Pipeline, { host }: Call): Promise<Piped> {
  const { findAddresses, runOperators } = await import('./piped.ts');
  const addresses = await findAddresses(sources, pipeline, host);
  const result = runOperators(sources, pipeline, addresses);
  return { addresses, nodes: result.nodes.map(({ node }) => node), groups: result.groups, result };
}
