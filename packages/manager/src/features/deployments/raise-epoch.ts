import type { Store } from '../../database/store.ts';
import type { Manifests } from './manifests.ts';

/** Servers in one transaction. */
const batch = 200;

/**
 * Writes the orders of all servers anew that are of a lower epoch: after an old database was restored, their agents
 * have seen generations that it does not know of.
 */
export async function raiseEpoch(store: Store, manifests: Manifests): Promise<void> {
  const heads = await store.servers.heads((await store.servers.lastSeen()).map(({ id }) => id));
  const old = [...heads.values()].filter(({ epoch }) => epoch < manifests.epoch).map(({ server_id }) => server_id);
  for (let start = 0; start < old.length; start += batch) {
    await store.transaction(async (tx) => {
      for (const server of await tx.servers.findMany(old.slice(start, start + batch))) {
        await manifests.publish(tx, server, false);
        await tx.deployments.leave(server.id);
      }
    });
  }
}
