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

/** What is known of a server now; what it was sent was made for `ServerAssignment.facts`. */
export const factsOf = ({
  name,
  environment,
  labels,
}: {
  readonly name: string;
  readonly environment: string | null;
  readonly labels: Labels;
}): ServerFacts => ({ server: name, environment, labels });
