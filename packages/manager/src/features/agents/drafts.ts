import { ProblemError } from '@sbox/core';
import type { Store } from '../../database/store.ts';
import type { SubscriptionsService } from '../subscriptions/subscriptions-service.ts';

export interface DraftsDeps {
  readonly store: Store;
  readonly subscriptions: Pick<SubscriptionsService, 'add' | 'write'>;
}

/** Keeps what a server ran while the manager was away, as a subscription that people may use; one for each server. */
export const createDrafts =
  ({ store, subscriptions }: DraftsDeps) =>
  async (serverId: string, body: Uint8Array): Promise<string> => {
    const server = await store.servers.find(serverId);
    if (!server) throw new ProblemError('auth.revoked', `server ${serverId} was removed`);
    const name = `draft-${server.name}`.slice(0, 64);
    const source = { type: 'inline' as const, text: Buffer.from(body).toString('utf8') };
    if (await store.subscriptions.find(name)) await subscriptions.write(name, '*', { source });
    else await subscriptions.add({ name, source, refresh_every: '0', min_share: 0 });
    return name;
  };
