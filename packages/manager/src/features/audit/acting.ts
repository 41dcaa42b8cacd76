import { AsyncLocalStorage } from 'node:async_hooks';
import type { Caller } from '@sbox/daemon/serve';

/** On whose behalf something is done. */
export interface Actor {
  readonly caller: Caller;
  readonly remoteAddress: string;
  readonly requestId: string;
  readonly routeId: string;
  /** The parameters of the path. */
  readonly object: Readonly<Record<string, string>>;
}

/** An actor with what the audit log has of it so far. */
export interface ActorScope extends Actor {
  /** The result of the entry that was written; a request leaves one. Set inside the transaction that writes it. */
  recorded: 'ok' | 'denied' | undefined;
}

export interface Acting {
  /** Everything that `work` causes, however far down, is done by this actor. */
  run<T>(actor: Actor, work: () => Promise<T>): Promise<T>;
  /** The same by nobody but the manager itself: work that goes on when its cause has been answered. */
  alone<T>(work: () => Promise<T>): Promise<T>;
  current(): ActorScope | undefined;
}

export function createActing(): Acting {
  const scopes = new AsyncLocalStorage<ActorScope | undefined>();
  return {
    run: async (actor, work) => await scopes.run({ ...actor, recorded: undefined }, work),
    alone: async (work) => await scopes.run(undefined, work),
    current: () => scopes.getStore(),
  };
}
