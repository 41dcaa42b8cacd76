import { ProblemError } from '@sbox/core';
import type { Logger } from '@sbox/daemon/log';
import { errorFields } from '@sbox/daemon/log';
import type { Store } from '../../database/store.ts';
import type { DeploymentsService } from '../deployments/deployments-service.ts';
import { unfollowed } from '../subscriptions/unfollowed.ts';
import type { Config } from './configs-repository.ts';
import type { ConfigsService } from './configs-service.ts';

export interface FollowDeps {
  readonly store: Store;
  readonly configs: Pick<ConfigsService, 'generate'>;
  readonly deployments: Pick<DeploymentsService, 'deploy'>;
  readonly log: Logger;
}

const author = 'manager';

/** What follows from a change by itself: new versions of the configs that use it, and their deployment where wanted. */
export function createFollow({ store, configs, deployments, log }: FollowDeps) {
  const deployNewest = async ({ id, name }: Config, message: string): Promise<void> => {
    const config = await store.configs.find(id);
    const assigned = await store.servers.assignments({ configId: id });
    if (!config?.auto_deploy || config.version === null) return;
    if (!assigned.some(({ version }) => version !== config.version)) return;
    try {
      await deployments.deploy(id, { author, message, isPatient: true });
    } catch (error) {
      // The end of the deployment that is running leads here again.
      if (!(error instanceof ProblemError) || error.code === 'deployment.running') return;
      log.warn('version was not deployed', { config: name, ...errorFields(error) });
    }
  };

  return {
    async subscriptionChanged(subscriptionId: string): Promise<void> {
      const mark = await unfollowed.mark(store.meta, subscriptionId);
      const subscription = await store.subscriptions.find(subscriptionId);
      const message = `subscription ${subscription?.name ?? subscriptionId} changed`;
      for (const config of await store.configs.using(subscriptionId)) {
        try {
          await configs.generate(config.id, { author, message });
        } catch (error) {
          if (!(error instanceof ProblemError)) throw error;
          const { code, message: detail } = error;
          await store.transaction(
            async (tx) => void (await tx.events.add('config.generate-failed', { config_id: config.id, code, detail })),
          );
          continue;
        }
        await deployNewest(config, message);
      }
      if (mark !== undefined) await unfollowed.done(store.meta, subscriptionId, mark);
    },
    /** Changes that nobody followed because the manager stopped. */
    left: async (): Promise<string[]> => await unfollowed.ids(store.meta),
    /** A version that came while another was being deployed gets its turn; one that was halted does not come again. */
    async deploymentEnded(configId: string, version: number): Promise<void> {
      const config = await store.configs.find(configId);
      if (config?.version && config.version > version) await deployNewest(config, 'after the deployment before it');
    },
  };
}
