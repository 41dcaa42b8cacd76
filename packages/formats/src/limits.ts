/** How much of a subscription is read; beyond it the document or the line is refused, each with a code of its own. */
export interface Limits {
  /** Of the unpacked document: `subscription.too-large`. */
  readonly maxBytes: number;
  /** Of one line or item: `node.line-too-long`. */
  readonly maxLineBytes: number;
  /** `subscription.too-many-nodes`. */
  readonly maxNodes: number;
  /** How deep JSON and YAML may be nested: `subscription.too-deep`. */
  readonly maxDepth: number;
  /** Uses of YAML's anchors: `subscription.too-many-aliases`. */
  readonly maxAliases: number;
  /** Rejected lines that are listed; the last entry counts the others. */
  readonly maxRejected: number;
  /** Messages of the provider that are kept. */
  readonly maxNotices: number;
}

export const defaultLimits: Limits = {
  maxBytes: 16 * 1024 * 1024,
  maxLineBytes: 64 * 1024,
  maxNodes: 50_000,
  maxDepth: 100,
  maxAliases: 100_000,
  maxRejected: 1_000,
  maxNotices: 32,
};
