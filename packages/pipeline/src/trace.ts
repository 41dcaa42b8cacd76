import type { PipedNode } from './piped-node.ts';

/** What happened to one node in one operator. */
export interface Effect {
  readonly node_id: string;
  /** The name that it had before. */
  readonly tag: string;
  readonly kind: 'dropped' | 'changed' | 'added';
  /** In words for people, without secrets. */
  readonly what: string;
}

export interface TraceStep {
  /** Place in the pipeline, from 0; -1 is what happens at the end of every pipeline. */
  readonly index: number;
  readonly operator: string;
  readonly in: number;
  readonly out: number;
  readonly effects: readonly Effect[];
  /** How many more effects there were than are listed. */
  readonly unlisted: number;
}

export type Trace = readonly TraceStep[];

/** Takes down what an operator does to a node; the words are made only when they are kept. */
export type Note = (piped: PipedNode, kind: Effect['kind'], what: () => string) => void;

export interface TraceLimits {
  readonly maxEffects: number;
  /** The id of the only node whose effects are listed. */
  readonly only?: string | undefined;
}

export function createRecorder({ maxEffects, only }: TraceLimits) {
  const effects: Effect[] = [];
  let unlisted = 0;
  const note: Note = ({ node }, kind, what) => {
    if (only !== undefined && node.id !== only) return;
    if (effects.length >= maxEffects) unlisted += 1;
    else effects.push({ node_id: node.id, tag: node.tag, kind, what: what() });
  };
  return { note, recorded: () => ({ effects, unlisted }) };
}
