import { uniqueTags, type Node } from '@sbox/formats';
import { chainNodes } from './chain-nodes.ts';
import type { LeftOut, NodePart } from '../parts.ts';
import { profileOf, type EngineTarget } from '../profile.ts';
import { writeNode, type WrittenNode } from './write-node.ts';

export interface WrittenNodes {
  /** In the order of the nodes. */
  readonly parts: readonly NodePart[];
  readonly left_out: readonly LeftOut[];
}

export interface WriteOptions {
  /** Tags that the document needs for parts of its own; a node of that name gets a piece of its id behind it. */
  readonly taken?: Iterable<string>;
}

/**
 * Writes each node as the target's engine takes it. A node that it cannot run, or that dials through one, is left out
 * and named; none is changed. Tags are unique, also beside those that configs give to their own parts.
 * @throws ProblemError `engine.too-old`, `engine.unsupported`
 */
export function writeNodes(
  nodes: readonly Node[],
  target: EngineTarget,
  { taken = [] }: WriteOptions = {},
): WrittenNodes {
  const profile = profileOf(target);
  const reserved = new Set(taken);
  // Nodes of several subscriptions may share names.
  const named = uniqueTags(nodes, reserved);
  const written = chainNodes(
    named,
    named.map((node) => writeNode(node, profile)),
  );
  const left_out: LeftOut[] = [];
  const parts: NodePart[] = [];
  const freeTag = tagGiver(named, reserved);
  for (const [index, { id, tag }] of named.entries()) {
    const result = written[index];
    if (result === undefined) continue;
    if ('reason' in result) left_out.push({ node_id: id, tag, code: result.code, reason: result.reason });
    else parts.push(partOf(id, tag, result, freeTag));
  }
  return { parts, left_out };
}

type FreeTag = (wanted: string) => string;

/** Tags for the second outbounds of nodes, made only where there are such. */
function tagGiver(nodes: readonly Node[], reserved: ReadonlySet<string>): FreeTag {
  let used: Set<string> | undefined;
  return (wanted) => {
    used ??= new Set([...reserved, ...nodes.map(({ tag }) => tag)]);
    let tag = wanted;
    for (let copy = 2; used.has(tag); copy += 1) tag = `${wanted} ${copy}`;
    used.add(tag);
    return tag;
  };
}

function partOf(node_id: string, tag: string, written: WrittenNode, freeTag: FreeTag): NodePart {
  const { type, fields, detour, shadowTls, isEndpoint, isOnce } = written;
  const way = detour === undefined ? {} : { detour };
  const part = { node_id, tag, is_once: isOnce };
  if (shadowTls !== undefined) {
    const front = freeTag(`${tag} shadowtls`);
    const outbounds = [
      { type, tag, ...fields, detour: front },
      { type: 'shadowtls', tag: front, ...shadowTls, ...way },
    ];
    return { ...part, outbounds, endpoints: [] };
  }
  const json = [{ type, tag, ...fields, ...way }];
  return isEndpoint ? { ...part, outbounds: [], endpoints: json } : { ...part, outbounds: json, endpoints: [] };
}
