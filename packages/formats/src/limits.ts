/** How much of a subscription is read; beyond it the document or the line is refused. */
export interface Limits {
  readonly maxBytes: number;
  readonly maxLineBytes: number;
  readonly maxNodes: number;
  /** Rejected lines that are listed; the last entry counts the others. */
  readonly maxRejected: number;
}

export const defaultLimits: Limits = {
  maxBytes: 16 * 1024 * 1024,
  maxLineBytes: 64 * 1024,
  maxNodes: 50_000,
  maxRejected: 1_000,
};
