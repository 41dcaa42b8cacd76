import type { Labels } from '@sbox/protocol';

/** What is known of a server that decides which settings it gets and what is meant for it. */
export interface ServerFacts {
  /** Empty for nobody in particular. */
  readonly server: string;
  /** The name of its environment; null for none. */
  readonly environment: string | null;
  readonly labels: Labels;
}

/** A server that nothing is known of: what a version is made for when there is none. */
export const noFacts: ServerFacts = { server: '', environment: null, labels: {} };
