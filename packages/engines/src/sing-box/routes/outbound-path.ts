import { recordsIn, tagOf, textsIn, type Json } from '../document.ts';

/** What happens to a connection in the end. `mixed`: the engine chooses between members that do different things. */
export type Verdict = 'proxy' | 'direct' | 'reject' | 'dns' | 'mixed';

export interface PathStep {
  readonly tag: string;
  readonly type: string;
  /**
   * How it came to this outbound: named by the rule or as the final one; a selector's choice (`chosen` somebody's,
   * `default` its own, `first` where it has none), the `only` member, or the `detour` that an outbound dials through.
   */
  readonly how: 'rule' | 'final' | 'chosen' | 'default' | 'first' | 'only' | 'detour';
  /** Set for a `urltest` that chooses by itself: any of them. */
  readonly any_of?: readonly string[];
}

export interface OutboundPath {
  readonly path: readonly PathStep[];
  /** Tags of the outbounds that may carry the connection; more than one behind a `urltest`. */
  readonly leaves: readonly string[];
  readonly verdict: Verdict | null;
  /** Why the connection fails: an outbound that does not exist, or one that comes back to itself. */
  readonly broken?: string;
}

/** What selectors are set to, where somebody chose. */
export type Selected = Readonly<Record<string, string>>;

const verdicts: Readonly<Record<string, Verdict>> = { direct: 'direct', block: 'reject', dns: 'dns' };

/** Follows the groups of one configuration from an outbound to what carries the connection. */
export function createOutboundPaths(
  config: Json,
): (tag: string, how: 'rule' | 'final', selected?: Selected) => OutboundPath {
  const outbounds = new Map(
    [config['outbounds'], config['endpoints']].flatMap((items) =>
      recordsIn(items).map((item, index) => [tagOf(item, index), item] as const),
    ),
  );
  // Without any outbound the engine makes one that goes out directly.
  if (recordsIn(config['outbounds']).length === 0 && !outbounds.has('direct'))
    outbounds.set('direct', { type: 'direct' });
  return (start, how, selected = {}) => follow({ outbounds, selected }, { tag: start, how }, []);
}

interface Graph {
  readonly outbounds: ReadonlyMap<string, Json>;
  readonly selected: Selected;
}

function follow(graph: Graph, { tag, how }: Pick<PathStep, 'tag' | 'how'>, before: readonly PathStep[]): OutboundPath {
  const broken = (why: string): OutboundPath => ({ path: before, leaves: [], verdict: null, broken: why });
  const item = graph.outbounds.get(tag);
  if (item === undefined) return broken(`there is no outbound "${tag}"`);
  if (before.some((step) => step.tag === tag)) return broken(`the outbound "${tag}" leads back to itself`);
  const type = String(item['type']);
  const step = { tag, type, how };
  const path = [...before, step];
  if (type !== 'selector' && type !== 'urltest') return followDetour(graph, { item, path, tag, type });
  const members = textsIn(item['outbounds']);
  const [first] = members;
  if (first === undefined) return { ...broken(`the group "${tag}" has no members`), path };
  if (type === 'selector') return follow(graph, choiceOf(item, members, graph.selected[tag]), path);
  if (members.length === 1) return follow(graph, { tag: first, how: 'only' }, path);
  return anyOf(graph, { ...step, any_of: members }, before);
}

function choiceOf(item: Json, members: readonly string[], selected: string | undefined): Pick<PathStep, 'tag' | 'how'> {
  if (selected !== undefined && members.includes(selected)) return { tag: selected, how: 'chosen' };
  const standing = item['default'];
  if (typeof standing === 'string' && standing !== '') return { tag: standing, how: 'default' };
  return { tag: members[0] ?? '', how: members.length === 1 ? 'only' : 'first' };
}

function followDetour(
  graph: Graph,
  leaf: { item: Json; path: readonly PathStep[]; tag: string; type: string },
): OutboundPath {
  const verdict = verdicts[leaf.type] ?? 'proxy';
  const end: OutboundPath = { path: leaf.path, leaves: [leaf.tag], verdict };
  const detour = leaf.item['detour'];
  if (typeof detour !== 'string' || detour === '') return end;
  const way = follow(graph, { tag: detour, how: 'detour' }, leaf.path);
  return { ...end, path: way.path, ...(way.broken !== undefined && { broken: way.broken }) };
}

function anyOf(
  graph: Graph,
  step: PathStep & { any_of: readonly string[] },
  before: readonly PathStep[],
): OutboundPath {
  const path = [...before, step];
  const ways = step.any_of.map((tag) => follow(graph, { tag, how: 'only' }, path));
  const found = new Set(ways.map(({ verdict }) => verdict));
  const broken = ways.find((way) => way.broken !== undefined)?.broken;
  const [verdict = null] = found;
  return {
    path,
    leaves: [...new Set(ways.flatMap(({ leaves }) => leaves))],
    verdict: found.size > 1 ? 'mixed' : verdict,
    ...(broken !== undefined && { broken }),
  };
}
