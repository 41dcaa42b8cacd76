import { ProblemError, type Generation } from '@sbox/core';
import type { Hub } from '@sbox/daemon/hub';
import type { BytesAnswer } from '@sbox/protocol';
import type { Store } from '../../database/store.ts';

export interface DesiredDeps {
  readonly store: Store;
  /** Wakes those who wait for a server's next manifest. */
  readonly hints: Hub<Generation>;
}

export interface Desired {
  /**
   * The manifest of a server, or "you have it already" after waiting for a newer one.
   * @throws ProblemError `server.not-assigned`, `auth.revoked`
   */
  get(serverId: string, ask: { known?: string | undefined; waitMs: number; signal: AbortSignal }): Promise<BytesAnswer>;
  newest(serverId: string): Promise<Generation | null>;
  /** Brings new manifests, which are stored for good, to the servers that wait or listen. */
  announce(serverIds: readonly string[]): Promise<void>;
  /** Forgets a server that was removed and ends its waits. */
  forget(serverId: string): void;
}

interface Order extends Generation {
  readonly etag: string;
  readonly bytes: Uint8Array;
}

export function createDesired({ store, hints }: DesiredDeps): Desired {
  // Null: known to have none. A few kilobytes a server.
  const cache = new Map<string, Order | null>();

  const read = async (serverId: string): Promise<Order | null> => {
    const stored = await store.servers.manifest(serverId);
    return stored
      ? { epoch: stored.epoch, generation: stored.generation, etag: stored.etag, bytes: stored.envelope }
      : null;
  };
  const load = async (serverId: string): Promise<Order | null> => {
    const known = cache.get(serverId);
    if (known !== undefined) return known;
    const order = await read(serverId);
    // What was announced while this was read is newer.
    if (!cache.has(serverId)) cache.set(serverId, order);
    return cache.get(serverId) ?? null;
  };

  return {
    async get(serverId, { known, waitMs, signal }) {
      const isOld = (order: Order | null): boolean => order === null || order.etag === known;
      let order = await load(serverId);
      if (waitMs > 0 && isOld(order)) {
        const next = hints.next(serverId, waitMs, signal);
        // Once more: what was announced before the wait began woke nobody.
        order = await load(serverId);
        if (isOld(order)) {
          await next;
          order = await load(serverId);
        }
      }
      if (order === null) {
        const server = await store.servers.find(serverId);
        if (!server) throw new ProblemError('auth.revoked', `server ${serverId} was removed`);
        throw new ProblemError('server.not-assigned', `${server.name} has no config yet`);
      }
      return { bytes: order.etag === known ? undefined : order.bytes, etag: order.etag };
    },
    async newest(serverId) {
      const order = await load(serverId);
      return order && { epoch: order.epoch, generation: order.generation };
    },
    async announce(serverIds) {
      for (const serverId of serverIds) {
        const order = await read(serverId);
        cache.set(serverId, order);
        if (order) hints.publish(serverId, { epoch: order.epoch, generation: order.generation });
      }
    },
    forget(serverId) {
      cache.delete(serverId);
      hints.publish(serverId, { epoch: 0, generation: 0 });
    },
  };
}

const longestWaitS = 50;

/** Milliseconds of `Prefer: wait=<seconds>` (RFC 7240), at most 50 s. */
export function waitOf(prefer: string | undefined): number {
  const seconds = /(?:^|[,;\s])wait=(\d{1,6})\b/.exec(prefer ?? '')?.[1];
  return Math.min(Number(seconds ?? 0), longestWaitS) * 1000;
}
