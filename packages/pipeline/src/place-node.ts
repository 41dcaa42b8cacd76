import { ruleText, type Json, type Rendered } from '@sbox/engines/sing-box/render';
import type { NodeExplanation } from './explain-node.ts';

/** Where a node is in a rendition. */
export interface NodePlace {
  /** Its tag there; null when it was dropped or left out. */
  readonly tag: string | null;
  /** Groups that have it as a member, then those that have such a group. */
  readonly groups: readonly string[];
  /** Rules that lead to it or to one of these groups. */
  readonly rules: readonly { readonly index: number; readonly text: string }[];
  /** Why this engine cannot run it. */
  readonly left_out: string | null;
}

/** Says what became of a node whose way through the pipeline is known. */
export function placeNode(
  { node_id }: Pick<NodeExplanation, 'node_id'>,
  { config, nodes, left_out }: Pick<Rendered, 'config' | 'nodes' | 'left_out'>,
): NodePlace {
  const tag = nodes.find((node) => node.node_id === node_id)?.tag ?? null;
  const reason = left_out.find((node) => node.node_id === node_id)?.reason ?? null;
  if (tag === null) return { tag, groups: [], rules: [], left_out: reason };
  const groups = groupsWith(config, tag);
  const held = new Set([tag, ...groups]);
  const rules = recordsOf((config['route'] as Json | undefined)?.['rules']).flatMap((rule, index) =>
    held.has(String(rule['outbound'])) ? [{ index, text: ruleText(rule) }] : [],
  );
  return { tag, groups, rules, left_out: reason };
}

/** Groups stand in any order, so that they are looked through as often as they are nested. */
function groupsWith(config: Json, tag: string): string[] {
  const groups = recordsOf(config['outbounds']).filter(({ outbounds }) => Array.isArray(outbounds));
  const inside = new Set([tag]);
  for (let size = 0; size < inside.size;) {
    size = inside.size;
    for (const { tag: group, outbounds } of groups)
      if ((outbounds as unknown[]).some((member) => inside.has(String(member)))) inside.add(String(group));
  }
  inside.delete(tag);
  return [...inside];
}

const recordsOf = (list: unknown): Json[] =>
  Array.isArray(list) ? list.filter((item): item is Json => typeof item === 'object' && item !== null) : [];
