import { isoTime, type Clock } from '@sbox/core';
import type { Store } from '../../database/store.ts';

/** Who was heard of and when; in memory, because every heartbeat of every server comes by. */
export interface Presence {
  /** A server said something. */
  seen(serverId: string): void;
  added(serverId: string, isIsland: boolean): void;
  removed(serverId: string): void;
  isOnline(serverId: string): boolean;
  /** It never joined, and gets its orders as bundles. */
  isIsland(serverId: string): boolean;
  seenAt(serverId: string): string | null;
  /** Writes down what changed since the last call, with an event for everyone who came or went. */
  flush(): Promise<void>;
}

interface Known {
  seenMs: number | undefined;
  isIsland: boolean;
  isOnline: boolean;
  isDirty: boolean;
}

const aliveKey = 'alive_at';

/** After a restart, servers that were online when the manager stopped get as long as ever to be heard of again. */
export async function openPresence(store: Store, clock: Clock, offlineMs: number): Promise<Presence> {
  const startedMs = clock.now();
  const aliveMs = Date.parse((await store.meta.get(aliveKey)) ?? '') || startedMs;
  const known = new Map<string, Known>();
  for (const { id, seen_at, is_island } of await store.servers.lastSeen()) {
    const seenMs = seen_at === null ? undefined : Date.parse(seen_at);
    const isOnline = seenMs !== undefined && seenMs > aliveMs - offlineMs;
    known.set(id, { seenMs, isIsland: is_island, isOnline, isDirty: false });
  }
  const lastMs = ({ seenMs = 0, isOnline }: Known): number => (isOnline ? Math.max(seenMs, startedMs) : seenMs);
  const isRecent = (server: Known): boolean => server.seenMs !== undefined && clock.now() - lastMs(server) <= offlineMs;

  return {
    seen(serverId) {
      const server = known.get(serverId);
      if (!server) return;
      server.seenMs = clock.now();
      server.isDirty = true;
    },
    added: (serverId, isIsland) =>
      void known.set(serverId, { seenMs: undefined, isIsland, isOnline: false, isDirty: false }),
    removed: (serverId) => void known.delete(serverId),
    isOnline(serverId) {
      const server = known.get(serverId);
      return server !== undefined && isRecent(server);
    },
    isIsland: (serverId) => known.get(serverId)?.isIsland ?? false,
    seenAt(serverId) {
      const seenMs = known.get(serverId)?.seenMs;
      return seenMs === undefined ? null : isoTime(seenMs);
    },
    async flush() {
      const heard: string[] = [];
      const turned: { id: string; isOnline: boolean; seen_at: string }[] = [];
      for (const [id, server] of known) {
        const isOnline = isRecent(server);
        if (server.isDirty) heard.push(id);
        if (isOnline !== server.isOnline) turned.push({ id, isOnline, seen_at: isoTime(server.seenMs ?? 0) });
        server.isDirty = false;
        server.isOnline = isOnline;
      }
      await store.transaction(async (tx) => {
        await tx.meta.set(aliveKey, isoTime(clock.now()));
        await tx.servers.touch(heard, isoTime(clock.now()));
        for (const { id, isOnline, seen_at } of turned) {
          if (isOnline) await tx.events.add('server.online', { server_id: id });
          else await tx.events.add('server.offline', { server_id: id, seen_at });
        }
      });
    },
  };
}
