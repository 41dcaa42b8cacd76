import { systemClock, type Clock } from '@sbox/core';
import type { Group } from '@sbox/engines/sing-box/render';
import { uniqueTags } from '@sbox/formats';
import type { Pipeline } from '@sbox/protocol/pipeline';
import { compilePipeline } from './compile-pipeline.ts';
import { findCountry } from './countries/find-country.ts';
import { makeGroups } from './groups.ts';
import type { Step, StepRun } from './operators/step.ts';
import type { PipedNode, PipelineSource, SourceNode } from './piped-node.ts';
import { createRecorder, type Note, type Trace, type TraceLimits, type TraceStep } from './trace.ts';

export interface PipelineResult {
  readonly nodes: readonly PipedNode[];
  readonly groups: readonly Group[];
  readonly trace: Trace;
  /** What went in. */
  readonly read: readonly SourceNode[];
}

export interface PipelineDeps {
  /** Addresses of hosts, for `resolve`; see `hostsToResolve`. */
  readonly addresses?: ReadonlyMap<string, readonly string[]>;
  /** Effects that the trace lists for each operator; 1,000 when not set. */
  readonly maxEffects?: number;
  /** The id of the only node that the trace lists. */
  readonly only?: string;
  readonly clock?: Pick<Clock, 'monotonic'>;
  /** How long it may take; 10 seconds when not set. */
  readonly maxMs?: number;
}

/**
 * Runs every operator over the nodes of all sources. At the end the same node is there once, nodes that dial through a
 * dropped node go too, every name is unique, and the groups find their members. Ids never change.
 * @throws ProblemError `pipeline.invalid`, `pipeline.too-slow`
 */
export function runPipeline(
  sources: readonly PipelineSource[],
  pipeline: Pipeline,
  { addresses = new Map(), maxEffects = 1000, only, clock = systemClock, maxMs = 10_000 }: PipelineDeps = {},
): PipelineResult {
  const { steps, groups: makers } = compilePipeline(pipeline, { monotonic: clock.monotonic, maxMs });
  const limits = { maxEffects, only };
  const read = readSources(sources);
  const trace: TraceStep[] = [];
  let nodes: readonly PipedNode[] = read;
  for (const step of steps) nodes = traced(step, nodes, { addresses }, { trace, limits });
  // Only groups with `each` have names that depend on the nodes.
  const tagsOf = (left: readonly PipedNode[]): ReadonlySet<string> =>
    new Set((makers.some(({ isEach }) => isEach) ? makeGroups(makers, left) : makers).map(({ tag }) => tag));
  const end: RunStep = {
    index: -1,
    operator: 'end',
    step: (given, { note }) => {
      const left = dropOrphans(dropCopies(given, note), note);
      return withUniqueTags(left, tagsOf(left), note);
    },
  };
  nodes = traced(end, nodes, { addresses }, { trace, limits });
  return { nodes, groups: makeGroups(makers, nodes), trace, read };
}

/**
 * The hosts that the `resolve` operators of a pipeline would ask for, each once.
 * @throws ProblemError `pipeline.invalid`, `pipeline.too-slow`
 */
export function hostsToResolve(
  sources: readonly PipelineSource[],
  pipeline: Pipeline,
  { clock = systemClock, maxMs = 10_000 }: Pick<PipelineDeps, 'clock' | 'maxMs'> = {},
): string[] {
  const wanted = new Set<string>();
  let nodes: readonly PipedNode[] = readSources(sources);
  for (const { step } of compilePipeline(pipeline, { monotonic: clock.monotonic, maxMs }).steps)
    nodes = step(nodes, { note: () => undefined, addresses: new Map(), wanted });
  return [...wanted];
}

const labels: readonly string[] = [];

const readSources = (sources: readonly PipelineSource[]): SourceNode[] =>
  sources.flatMap(({ subscription, nodes, lines }) =>
    nodes.map((node, at): SourceNode => {
      const country = findCountry(node.tag);
      const line = lines?.[at];
      const piped: PipedNode =
        country === undefined ? { node, subscription, labels } : { node, subscription, labels, country };
      return line === undefined ? piped : { ...piped, line };
    }),
  );

interface RunStep {
  readonly index: number;
  readonly operator: string;
  readonly step: Step;
}

function traced(
  { index, operator, step }: RunStep,
  nodes: readonly PipedNode[],
  run: Omit<StepRun, 'note'>,
  { trace, limits }: { readonly trace: TraceStep[]; readonly limits: TraceLimits },
): readonly PipedNode[] {
  const { note, recorded } = createRecorder(limits);
  const out = step(nodes, { ...run, note });
  trace.push({ index, operator, in: nodes.length, out: out.length, ...recorded() });
  return out;
}

function dropCopies(nodes: readonly PipedNode[], note: Note): PipedNode[] {
  const first = new Map<string, PipedNode>();
  return nodes.filter((piped) => {
    const other = first.get(piped.node.id);
    if (other === undefined) {
      first.set(piped.node.id, piped);
      return true;
    }
    note(piped, 'dropped', () => `"${other.node.tag}" of ${other.subscription} is the same node`);
    return false;
  });
}

/** Without the node in between, the nodes behind it would go out directly. */
function dropOrphans(nodes: readonly PipedNode[], note: Note): readonly PipedNode[] {
  if (nodes.every(({ node }) => node.detour === undefined)) return nodes;
  const detours = new Map(nodes.map(({ node }) => [node.id, node.detour]));
  const verdicts = new Map<string, boolean>();
  const reaches = (id: string): boolean => {
    const path: string[] = [];
    let at: string | undefined = id;
    while (at !== undefined && detours.has(at) && !verdicts.has(at)) {
      // Set at once, so that a circle ends, as one that leads nowhere.
      verdicts.set(at, false);
      path.push(at);
      at = detours.get(at);
    }
    const verdict = at === undefined || (verdicts.get(at) === true && detours.has(at));
    for (const passed of path) verdicts.set(passed, verdict);
    return verdict;
  };
  return nodes.filter((piped) => {
    if (reaches(piped.node.id)) return true;
    note(piped, 'dropped', () => 'the node that it dials through is not there any more');
    return false;
  });
}

function withUniqueTags(nodes: readonly PipedNode[], taken: ReadonlySet<string>, note: Note): readonly PipedNode[] {
  const named = uniqueTags(
    nodes.map(({ node }) => node),
    taken,
  );
  return nodes.map((piped, at) => {
    const node = named[at] ?? piped.node;
    if (node === piped.node) return piped;
    note(piped, 'changed', () => `is called "${node.tag}" now, because the name was taken`);
    return { ...piped, node };
  });
}
