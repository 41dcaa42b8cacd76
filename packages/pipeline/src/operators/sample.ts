import type { OperatorOf } from '@sbox/protocol/pipeline';
import { lot } from '../lot.ts';
import type { CompilePattern } from '../regex.ts';
import type { PipedNode } from '../piped-node.ts';
import { matchTest, perKey, type Step } from './step.ts';

export function compileSample(operator: OperatorOf<'sample'>, pattern: CompilePattern): Step {
  const { count, per, seed = '' } = operator;
  const isMatch = matchTest(operator.match, pattern);
  const keyOf = perKey[per ?? 'all'];
  return (nodes, { note }) => {
    const drawn = new Map<string, { readonly piped: PipedNode; readonly lot: number }[]>();
    for (const piped of nodes) {
      if (!isMatch(piped)) continue;
      const key = keyOf(piped);
      const list = drawn.get(key) ?? [];
      list.push({ piped, lot: lot(seed, piped.node.id) });
      drawn.set(key, list);
    }
    const lost = new Set<PipedNode>();
    for (const list of drawn.values())
      for (const { piped } of list.toSorted((a, b) => a.lot - b.lot).slice(count)) lost.add(piped);
    return nodes.filter((piped) => {
      if (!lost.has(piped)) return true;
      note(piped, 'dropped', () => 'the lot did not fall on it');
      return false;
    });
  };
}
