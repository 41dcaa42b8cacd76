import type { OperatorOf } from '@sbox/protocol/pipeline';
import { lot } from '../lot.ts';
import { compileQuery } from '../query/compile-query.ts';
import type { CompilePattern } from '../regex.ts';
import type { PipedNode } from '../piped-node.ts';
import type { Step } from './step.ts';

/** More would cost every node a look at each. */
const maxThrough = 64;
/** A longer way would be looked along for every node, and no connection takes it. */
const maxWay = 64;

export function compileChain(operator: OperatorOf<'chain'>, pattern: CompilePattern): Step {
  const isMatch = compileQuery(operator.match, pattern);
  const isThrough = compileQuery(operator.through, pattern);
  const isDirectAllowed = operator.missing === 'direct';
  return (nodes, { note }) => {
    const through = nodes.filter(isThrough).slice(0, operator.pick === 'spread' ? maxThrough : 1);
    const detours = new Map(nodes.map(({ node }) => [node.id, node.detour]));
    return nodes.flatMap((piped) => {
      const { node } = piped;
      if (!isMatch(piped)) return [piped];
      if (node.detour !== undefined) {
        note(piped, 'changed', () => 'it dials through another node already and keeps that');
        return [piped];
      }
      const chosen = pickFor(node.id, through);
      if (chosen === undefined) {
        const kind = isDirectAllowed ? 'changed' : 'dropped';
        note(piped, kind, () => `there is no node to dial through${isDirectAllowed ? '; it stays direct' : ''}`);
        return isDirectAllowed ? [piped] : [];
      }
      if (leadsTo(node.id, chosen.node.id, detours)) {
        note(piped, 'changed', () => `"${chosen.node.tag}" would be reached through itself; the node stays direct`);
        return [piped];
      }
      detours.set(node.id, chosen.node.id);
      note(piped, 'changed', () => `dials through "${chosen.node.tag}" now`);
      return [{ ...piped, node: { ...node, detour: chosen.node.id } }];
    });
  };
}

/** The highest lot wins, so that a node which comes or goes moves only those that choose it. */
function pickFor(id: string, through: readonly PipedNode[]): PipedNode | undefined {
  if (through.length < 2) return through[0];
  let best: PipedNode | undefined;
  let bestLot = -1;
  for (const piped of through) {
    const drawn = lot(id, piped.node.id);
    if (drawn <= bestLot) continue;
    best = piped;
    bestLot = drawn;
  }
  return best;
}

function leadsTo(id: string, start: string, detours: ReadonlyMap<string, string | undefined>): boolean {
  const seen = new Set<string>();
  for (let at: string | undefined = start; at !== undefined && !seen.has(at); at = detours.get(at)) {
    if (at === id || seen.size > maxWay) return true;
    seen.add(at);
  }
  return false;
}
