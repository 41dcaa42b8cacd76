import { ProblemError } from '@sbox/core';
import { defaultProject } from '@sbox/protocol';
import type { Store } from '../../database/store.ts';
import type { Source } from '../subscriptions/subscription-source.ts';
import type { Subscription } from '../subscriptions/subscriptions-repository.ts';
import type { SubscriptionsService } from '../subscriptions/subscriptions-service.ts';

export interface DraftsDeps {
  readonly store: Store;
  readonly subscriptions: Pick<SubscriptionsService, 'add' | 'write'>;
}

const nameTries = 100;

/** Keeps what a server ran while the manager was away, as a subscription that people may use; one for each server. */
export const createDrafts =
  ({ store, subscriptions }: DraftsDeps) =>
  async (serverId: string, body: Uint8Array): Promise<string> => {
    const server = await store.servers.find(serverId);
    if (!server) throw new ProblemError('auth.revoked', `server ${serverId} was removed`);
    const source = { type: 'inline' as const, text: Buffer.from(body).toString('utf8') };
    for (let number = 1; number <= nameTries; number += 1) {
      const name = `draft-${server.name.slice(0, 50)}${number === 1 ? '' : `-${number}`}`;
      const there = await store.subscriptions.find(name);
      if (there?.source === JSON.stringify(source)) return name;
      if (there && (await isTaken(store, there))) continue;
      if (there) await subscriptions.write(there.id, '*', { source });
      else await subscriptions.add({ name, project: defaultProject, source, refresh_every: '0', min_share: 0 });
      return name;
    }
    throw new ProblemError('subscription.exists', `${nameTries} drafts of ${server.name} are in use`);
  };

/** What a config is made of, or what is fetched, is the operator's: no server writes into it. */
const isTaken = async ({ configs }: Store, { id, source }: Subscription): Promise<boolean> =>
  (JSON.parse(source) as Source).type !== 'inline' || (await configs.using(id)).length > 0;
