import type { NodeQuery } from '@sbox/protocol/pipeline';
import { compileQuery } from '../query/compile-query.ts';
import type { NodeTest } from '../query/node-fields.ts';
import type { CompilePattern } from '../regex.ts';
import type { PipedNode } from '../piped-node.ts';
import type { Note } from '../trace.ts';

/** What a compiled operator gets beside the nodes. */
export interface StepRun {
  readonly note: Note;
  readonly addresses: ReadonlyMap<string, readonly string[]>;
  /** Set while only the hosts are asked for that `resolve` would need: it then changes nothing. */
  readonly wanted?: Set<string> | undefined;
}

/** A compiled operator: nodes in, nodes out, in linear time. */
export type Step = (nodes: readonly PipedNode[], run: StepRun) => readonly PipedNode[];

export const matchTest = (match: NodeQuery | undefined, pattern: CompilePattern): NodeTest =>
  match === undefined ? () => true : compileQuery(match, pattern);

/** The node under another name. */
export const withTag = (piped: PipedNode, tag: string): PipedNode => ({ ...piped, node: { ...piped.node, tag } });

/** What `per` divides nodes by. */
export const perKey: Readonly<Record<'country' | 'subscription' | 'protocol' | 'all', (piped: PipedNode) => string>> = {
  all: () => '',
  country: ({ country }) => country ?? 'none',
  subscription: ({ subscription }) => subscription,
  protocol: ({ node }) => node.type,
};
