import type { Node } from '@sbox/formats';
import { invalid, unsupported, type Complaint } from './fields.ts';
import type { WrittenNode } from './write-node.ts';

export type Result = WrittenNode | Complaint;

/**
 * Puts the tag where a node names, by its id, another one that it dials through. Such a node shares the fate of that
 * one; it is also left out when nobody has the id, or when the way leads back to the node itself.
 * @param results one for each node, in the same order
 */
export function chainNodes(nodes: readonly Node[], results: readonly Result[]): readonly Result[] {
  if (nodes.every(({ detour }) => detour === undefined)) return results;
  const indexes = new Map(nodes.map(({ id }, index) => [id, index] as const).toReversed());
  const detourOf = (index: number): number | undefined => indexes.get(nodes[index]?.detour ?? '');
  const chained = new Map<number, Result>();

  function link(index: number, result: Result): Result {
    if ('reason' in result || nodes[index]?.detour === undefined) return result;
    const next = detourOf(index);
    if (next === undefined) return invalid('detour', 'names a node that is not there');
    const target = chained.get(next);
    // Everything further on is done by now, unless it is a circle.
    if (target === undefined) return invalid('detour', 'leads back to the node itself');
    if ('reason' in target) return unsupported('the node that it dials through is left out');
    if (result.fields['listen_port'] !== undefined) return invalid('listen_port', 'and detour exclude each other');
    return { ...result, detour: nodes[next]?.tag ?? '' };
  }

  return results.map((result, start) => {
    const way = new Set<number>();
    for (let at: number | undefined = start; at !== undefined && !chained.has(at) && !way.has(at); at = detourOf(at)) {
      way.add(at);
    }
    for (const index of [...way].toReversed()) chained.set(index, link(index, results[index] ?? result));
    return chained.get(start) ?? result;
  });
}
