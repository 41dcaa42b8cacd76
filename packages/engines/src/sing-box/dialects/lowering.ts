import type { Json } from '../document.ts';

/** What a row of the dialect table tells while it lowers. */
export interface Lowering {
  /** The target's 1.x. */
  readonly minor: number;
  /** Something is said in a weaker way, or no longer said. */
  warn(path: string, message: string): void;
  /** @throws ProblemError `template.unsupported` */
  refuse(path: string, message: string): never;
}

/** One difference between the newest dialect and older ones. */
export interface DialectRow {
  readonly feature: string;
  /** The first 1.x that understands the newest form; older ones get the lowered one. */
  readonly since: number;
  /** Changes the document in place. */
  readonly lower: (config: Json, lowering: Lowering) => void;
}
