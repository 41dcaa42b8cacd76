import type { Node } from '@sbox/formats';

/** The nodes of one subscription, in its order. */
export interface PipelineSource {
  /** Its name. */
  readonly subscription: string;
  readonly nodes: readonly Node[];
  /** The line of the source that each node stands in, where that is known. */
  readonly lines?: readonly (number | undefined)[];
}

/** A node on its way: `node.tag` is the name it has now, `node.id` never changes. */
export interface PipedNode {
  readonly node: Node;
  readonly subscription: string;
  readonly labels: readonly string[];
  /** ISO 3166 code of two letters. */
  readonly country?: string;
}

/** A node as its subscription gave it. */
export interface SourceNode extends PipedNode {
  readonly line?: number;
}
