import type { Pipeline } from '@sbox/protocol/pipeline';
import type { PipelineSource, SourceNode } from './piped-node.ts';
import { runPipeline, type PipelineDeps, type PipelineResult } from './run-pipeline.ts';

/** The way of one node through a pipeline. */
export interface NodeExplanation {
  readonly node_id: string;
  /** Every place where a subscription has it. */
  readonly sources: readonly { readonly subscription: string; readonly tag: string; readonly line?: number }[];
  readonly protocol: string;
  readonly country?: string;
  /** What each operator did to it; operators that did nothing are not there. */
  readonly steps: readonly { readonly index: number; readonly operator: string; readonly what: string }[];
  readonly verdict: 'kept' | 'dropped';
  /** Its name in the end. */
  readonly tag?: string;
  readonly labels: readonly string[];
  /** The groups that it is a member of itself. */
  readonly groups: readonly string[];
  /** Steps may be missing, because the trace was too long: see `traceNode`. */
  readonly is_partial: boolean;
}

/**
 * Says where a node came from, what was done to it, and where it is now; undefined when no node has the id or the name.
 * A name may be that of the subscription or the new one.
 */
export function explainNode(result: PipelineResult, idOrName: string): NodeExplanation | undefined {
  const id = findId(result, idOrName);
  if (id === undefined) return undefined;
  const sources = result.read.filter(({ node }) => node.id === id);
  const last = result.nodes.find(({ node }) => node.id === id);
  const [first] = sources;
  const country = (last ?? first)?.country;
  return {
    node_id: id,
    sources: sources.map(sourceOf),
    protocol: first?.node.type ?? '',
    ...(country === undefined ? {} : { country }),
    steps: result.trace.flatMap(({ index, operator, effects }) =>
      effects.filter(({ node_id }) => node_id === id).map(({ what }) => ({ index, operator, what })),
    ),
    verdict: last === undefined ? 'dropped' : 'kept',
    ...(last === undefined ? {} : { tag: last.node.tag }),
    labels: last?.labels ?? [],
    groups: result.groups
      .filter(({ members }) => members.some((member) => 'node' in member && member.node === id))
      .map(({ tag }) => tag),
    is_partial: result.trace.some(({ unlisted }) => unlisted > 0),
  };
}

/** Runs a pipeline to explain one node in full, however many nodes there are. */
export function traceNode(
  sources: readonly PipelineSource[],
  pipeline: Pipeline,
  deps: PipelineDeps,
  idOrName: string,
): NodeExplanation | undefined {
  const id = findId(runPipeline(sources, pipeline, { ...deps, maxEffects: 0 }), idOrName);
  return id === undefined ? undefined : explainNode(runPipeline(sources, pipeline, { ...deps, only: id }), id);
}

const sourceOf = ({ subscription, node, line }: SourceNode): NodeExplanation['sources'][number] => ({
  subscription,
  tag: node.tag,
  ...(line === undefined ? {} : { line }),
});

function findId({ read, nodes }: PipelineResult, idOrName: string): string | undefined {
  const isIt = ({ node }: { readonly node: { readonly id: string; readonly tag: string } }): boolean =>
    node.id === idOrName || node.tag === idOrName;
  return (nodes.find(isIt) ?? read.find(isIt))?.node.id;
}
