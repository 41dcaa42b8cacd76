import type { OperatorOf } from '@sbox/protocol/pipeline';
import { lot } from '../lot.ts';
import { compileQuery, listOf } from '../query/compile-query.ts';
import { invalid, type CompilePattern } from '../regex.ts';
import type { PipedNode } from '../piped-node.ts';
import type { Step } from './step.ts';

type SortKey = Exclude<Extract<OperatorOf<'sort'>['by'], string>, 'original'>;

/** Numbers inside compare as numbers; letters without case. The same on every machine, which collators are not. */
const natural = (text: string): string => text.toLowerCase().replace(/\d+/g, (digits) => digits.padStart(16, '0'));

/** Behind every country code, or before it where the order is turned: nodes without a country come last. */
const noCountry = (isTurned: boolean): string => (isTurned ? '' : '~');

interface Order {
  readonly seed: string;
  readonly isTurned: boolean;
}

const keys: Readonly<Record<SortKey, (piped: PipedNode, order: Order) => string | number>> = {
  name: ({ node }) => natural(node.tag),
  country: ({ country }, { isTurned }) => country ?? noCountry(isTurned),
  protocol: ({ node }) => node.type,
  port: ({ node }) => node.server_port,
  subscription: ({ subscription }) => natural(subscription),
  host: ({ node }) => natural(node.server),
  random: ({ node }, { seed }) => lot(seed, node.id),
};

interface Ranked {
  readonly piped: PipedNode;
  readonly rank: number;
  readonly keys: readonly (string | number)[];
}

export function compileSort(operator: OperatorOf<'sort'>, pattern: CompilePattern): Step {
  const first = (operator.first ?? []).map((query) => compileQuery(query, pattern));
  const by = listOf(operator.by).filter((key) => key !== 'original');
  const isTurned = operator.order === 'desc';
  if (operator.first === undefined && operator.by === undefined && !isTurned)
    throw invalid('it has neither first nor by');
  const order: Order = { seed: operator.seed ?? '', isTurned };
  const sign = isTurned ? -1 : 1;
  const compare = (a: Ranked, b: Ranked): number => a.rank - b.rank || sign * compareKeys(a.keys, b.keys);
  return (nodes) => {
    const given = isTurned && by.length === 0 ? nodes.toReversed() : nodes;
    const ranked = given.map((piped): Ranked => {
      const found = first.findIndex((test) => test(piped));
      return { piped, rank: found < 0 ? first.length : found, keys: by.map((key) => keys[key](piped, order)) };
    });
    return ranked.toSorted(compare).map(({ piped }) => piped);
  };
}

function compareKeys(left: Ranked['keys'], right: Ranked['keys']): number {
  for (let at = 0; at < left.length; at += 1) {
    const a = left[at] ?? 0;
    const b = right[at] ?? 0;
    if (a !== b) return a < b ? -1 : 1;
  }
  return 0;
}
