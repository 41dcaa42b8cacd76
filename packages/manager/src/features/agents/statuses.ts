import { ProblemError, type Generation } from '@sbox/core';
import type { AgentStatus } from '@sbox/protocol';
import type { Repositories, Store } from '../../database/store.ts';
import type { KeyedQueue } from '../../keyed-queue.ts';
import type { DeploymentsService } from '../deployments/deployments-service.ts';
import type { Presence } from '../servers/presence.ts';

export interface StatusesDeps {
  readonly store: Store;
  readonly presence: Presence;
  readonly deployments: Pick<DeploymentsService, 'observe' | 'pokeSoon'>;
  readonly queue: KeyedQueue;
}

export interface Statuses {
  /** Takes a status; one that was taken before changes nothing. */
  take(serverId: string, status: AgentStatus): Promise<void>;
  /** The newest status of a server, which may be newer than the stored one. */
  newest(serverId: string): AgentStatus | undefined;
  forget(serverId: string): void;
  /** Stores what is only in memory. */
  flush(): Promise<void>;
}

/**
 * What agents say. Most statuses repeat what is known: these stay in memory and are stored together, a second later.
 * One that carries a verdict is stored at once, with its events and what it means for a deployment.
 */
export function createStatuses({ store, presence, deployments, queue }: StatusesDeps): Statuses {
  const known = new Map<string, AgentStatus>();
  const dirty = new Set<string>();

  const storeVerdict = async (
    serverId: string,
    before: AgentStatus | undefined,
    status: AgentStatus,
  ): Promise<string[]> =>
    await store.transaction(async (tx) => {
      if (!(await tx.servers.find(serverId))) throw new ProblemError('auth.revoked', `server ${serverId} was removed`);
      await tx.servers.update(serverId, stored(status));
      await tellEvents(tx, serverId, before, status);
      return await deployments.observe(tx, serverId, status);
    });

  return {
    async take(serverId, status) {
      presence.seen(serverId);
      await queue.run(`status ${serverId}`, async () => {
        const before = known.get(serverId) ?? (await store.servers.find(serverId))?.status ?? undefined;
        if (before && before.boot_id === status.boot_id && status.seq <= before.seq) return;
        const isVerdict = !before || verdictKey(before) !== verdictKey(status);
        // In memory only once it is stored: a status that could not be stored comes again.
        const touched = isVerdict ? await storeVerdict(serverId, before, status) : [];
        known.set(serverId, status);
        if (isVerdict) dirty.delete(serverId);
        else dirty.add(serverId);
        for (const id of touched) deployments.pokeSoon(id);
      });
    },
    newest: (serverId) => known.get(serverId),
    forget(serverId) {
      known.delete(serverId);
      dirty.delete(serverId);
    },
    async flush() {
      if (dirty.size === 0) return;
      const batch = [...dirty];
      dirty.clear();
      await store.transaction(async (tx) => {
        for (const serverId of batch) {
          const status = known.get(serverId);
          if (status) await tx.servers.update(serverId, stored(status));
        }
      });
    },
  };
}

const stored = (status: AgentStatus) => ({ status, agent: status.agent, engines: status.engines });

const keyOf = (generation: Generation | null): string =>
  generation === null ? '' : `${generation.epoch}.${generation.generation}`;

/** What must not be lost: where the server stands with its orders, and which engines it has. */
const verdictKey = ({ running, committed, nack, phase, engines }: AgentStatus): string =>
  JSON.stringify([keyOf(running), keyOf(committed), nack && [keyOf(nack), nack.code, nack.at], phase, engines]);

async function tellEvents(
  tx: Repositories,
  server_id: string,
  before: AgentStatus | undefined,
  { running, committed, nack }: AgentStatus,
): Promise<void> {
  const isNew = (now: Generation, old: Generation | null | undefined): boolean => keyOf(now) !== keyOf(old ?? null);
  if (running && running.source !== 'local' && isNew(running, committed) && isNew(running, before?.running))
    await tx.events.add('server.serving', { server_id, ...pick(running) });
  if (committed && isNew(committed, before?.committed))
    await tx.events.add('server.committed', { server_id, ...pick(committed) });
  if (nack && (isNew(nack, before?.nack) || nack.code !== before?.nack?.code)) {
    const { code, message: detail } = nack;
    await tx.events.add('server.refused', { server_id, ...pick(nack), code, detail });
  }
}

const pick = ({ epoch, generation }: Generation): { epoch: number; generation: number } => ({ epoch, generation });
