import { ProblemError } from '@sbox/core';
import { noMover, type Mover, type Way } from '../src/reload/mover.ts';
import type { Life } from './sim-time.ts';

/** Where the kernel sends new connections. It outlives the agent, and is empty after a loss of power. */
export class SimRedirects {
  /** Undefined: there is nothing on this server that could redirect. */
  isThere = true;
  /** Every change is refused. */
  isBroken = false;
  readonly #ways = new Map<string, Way>();

  /** The port at which a new connection to this one arrives. */
  resolve(port: number): number {
    for (const { redirects } of this.#ways.values()) {
      const found = redirects.find(({ from }) => from === port);
      if (found !== undefined) return found.to;
    }
    return port;
  }

  clear(): void {
    this.#ways.clear();
  }

  mover(life: Life, note: (words: string) => void): Mover {
    if (!this.isThere) return noMover('nft is not installed');
    return {
      holdsPorts: false,
      findProblem: async () => await Promise.resolve(this.isBroken ? 'nft: operation not permitted' : undefined),
      point: async (unit, way) => {
        if (life.isOver) await new Promise(() => {});
        if (this.isBroken) throw new ProblemError('apply.failed', 'nft: operation not permitted');
        note(`${unit}: ${way.redirects.map(({ from, to }) => `${from} to ${to}`).join(', ') || 'no redirect'}`);
        this.#ways.set(unit, way);
      },
      async [Symbol.asyncDispose]() {},
    };
  }
}
