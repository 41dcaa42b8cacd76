import { ProblemError } from '@sbox/core';
import { errorFields, type Logger } from '@sbox/daemon/log';
import type { Store } from '../../database/store.ts';
import type { Manifests } from './manifests.ts';

/** Servers in one transaction. */
const batch = 200;

/**
 * Writes the orders of all servers anew that are of a lower epoch: after an old database was restored, their agents
 * have seen generations that it does not know of. A server that nothing can be written for keeps its old order, and the
 * manager starts without it.
 */
export async function raiseEpoch(store: Store, manifests: Manifests, log: Logger): Promise<void> {
  const heads = await store.servers.heads((await store.servers.lastSeen()).map(({ id }) => id));
  const old = [...heads.values()].filter(({ epoch }) => epoch < manifests.epoch).map(({ server_id }) => server_id);
  for (let start = 0; start < old.length; start += batch) {
    await store.transaction(async (tx) => {
      for (const server of await tx.servers.findMany(old.slice(start, start + batch))) {
        try {
          await manifests.publish(tx, server, false);
        } catch (error) {
          if (!(error instanceof ProblemError)) throw error;
          log.warn('server keeps an order of an old epoch', { server_id: server.id, ...errorFields(error) });
          continue;
        }
        await tx.deployments.leave(server.id);
      }
    });
  }
}
