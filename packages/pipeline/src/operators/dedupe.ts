import type { OperatorOf } from '@sbox/protocol/pipeline';
import { invalid } from '../regex.ts';
import type { PipedNode } from '../piped-node.ts';
import { withTag, type Step } from './step.ts';

const keys: Readonly<Record<NonNullable<OperatorOf<'dedupe'>['by']>, (piped: PipedNode) => string>> = {
  id: ({ node }) => node.id,
  endpoint: ({ node }) => `${node.type} ${node.server.toLowerCase()} ${node.server_port}`,
  host: ({ node }) => node.server.toLowerCase(),
  name: ({ node }) => node.tag,
};

const sameness = {
  id: 'is the same node',
  endpoint: 'has the same endpoint',
  host: 'has the same host',
  name: 'has the same name',
};

export function compileDedupe(operator: OperatorOf<'dedupe'>): Step {
  const { by = 'id', action = 'drop', link = ' ', position = 'back' } = operator;
  const write = digitWriter(operator.digits);
  return (nodes, { note }) => {
    const seen = new Map<string, { readonly first: string; copies: number }>();
    const taken = new Set(action === 'rename' ? nodes.map(({ node }) => node.tag) : []);
    const kept: PipedNode[] = [];
    for (const piped of nodes) {
      const key = keys[by](piped);
      const earlier = seen.get(key);
      if (earlier === undefined) {
        seen.set(key, { first: piped.node.tag, copies: 1 });
        kept.push(piped);
      } else if (action === 'drop') {
        note(piped, 'dropped', () => `"${earlier.first}" ${sameness[by]}`);
      } else {
        const tag = numbered(piped.node.tag, earlier);
        taken.add(tag);
        note(piped, 'changed', () => `is called "${tag}" now: "${earlier.first}" ${sameness[by]}`);
        kept.push(withTag(piped, tag));
      }
    }
    return kept;

    /** Counts on until the name is free; the counter is kept, so that many copies cost no search each. */
    function numbered(tag: string, earlier: { copies: number }): string {
      for (;;) {
        earlier.copies += 1;
        const number = write(earlier.copies);
        const name = position === 'back' ? `${tag}${link}${number}` : `${number}${link}${tag}`;
        if (!taken.has(name)) return name;
      }
    }
  };
}

function digitWriter(digits: string | undefined): (number: number) => string {
  if (digits === undefined) return String;
  const written = digits.trim().split(/\s+/);
  if (written.length !== 10 || new Set(written).size !== 10)
    throw invalid('digits must be ten different ones, from 0 to 9');
  return (number) => String(number).replace(/\d/g, (digit) => written[Number(digit)] ?? digit);
}
