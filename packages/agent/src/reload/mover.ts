import { ProblemError } from '@sbox/core';
import type { ListenPort } from '@sbox/engines/sing-box/run';

/** New connections to `from` on that address go to `to` on the same address. */
export interface Redirect {
  readonly network: ListenPort['network'];
  readonly listen: string;
  readonly from: number;
  readonly to: number;
}

/** Where the new connections of one unit go. */
export interface Way {
  /** What programs use. */
  readonly served: readonly Pick<ListenPort, 'network' | 'listen_port'>[];
  /** None: to whoever listens on the ports. */
  readonly redirects: readonly Redirect[];
  /**
   * Flows of this unit have to be followed although nothing is redirected now: UDP ones, so that a redirect to come leaves
   * them where they are, and those that an earlier redirect brought to an engine that still drains.
   */
  readonly isTracked: boolean;
}

/** Moves new connections from one engine to another; those that are open stay where they are. */
export interface Mover extends AsyncDisposable {
  /** It listens on the ports that programs use, so that engines never do. */
  readonly holdsPorts: boolean;
  /** Why new connections to these ports cannot be moved, in a sentence; undefined when they can. */
  findProblem(ports: readonly ListenPort[]): Promise<string | undefined>;
  /** Holds from the moment when this resolves, and as a whole or not at all. @throws ProblemError `apply.failed` */
  point(unit: string, way: Way): Promise<void>;
}

/** Where the setting or the machine allows no moving. */
export const noMover = (why: string): Mover => ({
  holdsPorts: false,
  findProblem: async () => await Promise.resolve(why),
  async point(_, { redirects }) {
    if (redirects.length > 0) throw new ProblemError('apply.failed', why);
    await Promise.resolve();
  },
  async [Symbol.asyncDispose]() {},
});
