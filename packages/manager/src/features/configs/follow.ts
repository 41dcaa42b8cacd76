import { ProblemError } from '@sbox/core';
import type { Logger } from '@sbox/daemon/log';
import { errorFields } from '@sbox/daemon/log';
import type { Store } from '../../database/store.ts';
import { held } from '../deployments/held-deployments.ts';
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
/** Configs whose new version is being made and deployed: a manager that died meanwhile finds them here. */
const unfinished = 'unfinished config ';

/** In the transaction that stores a version: it is not deployed yet. */
export const markUnfinished = async ({ meta }: Pick<Store, 'meta'>, configId: string): Promise<void> =>
  await meta.set(`${unfinished}${configId}`, author);

/** What follows from a change by itself: new versions of the configs that use it, and their deployment where wanted. */
export function createFollow({ store, configs, deployments, log }: FollowDeps) {
  const deployNewest = async ({ id, name }: Config, message: string): Promise<'held' | undefined> => {
    const config = await store.configs.find(id);
    const assigned = await store.servers.assignments({ configId: id });
    if (!config?.auto_deploy || config.version === null) return undefined;
    const deployed = (await store.assignments.list({ configId: id })).filter(({ version }) => version !== null);
    if ([...assigned, ...deployed].every(({ version }) => version === config.version)) return undefined;
    try {
      await deployments.deploy(id, { author, message, isPatient: true });
    } catch (error) {
      // The end of the deployment that is running leads here again.
      if (!(error instanceof ProblemError) || error.code === 'deployment.running') return undefined;
      if (error.code === 'environment.frozen') {
        await held.hold(store, id, config.version, error.message);
        return 'held';
      }
      log.warn('version was not deployed', { config: name, ...errorFields(error) });
    }
    return undefined;
  };

  const generateAnew = async (config: Config, message: string): Promise<void> => {
    try {
      await configs.generate(config.id, { author, message });
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      const { code, message: detail } = error;
      await store.transaction(
        async (tx) => void (await tx.events.add('config.generate-failed', { config_id: config.id, code, detail })),
      );
      return;
    }
    await deployNewest(config, message);
  };

  return {
    async subscriptionChanged(subscriptionId: string): Promise<void> {
      const mark = await unfollowed.mark(store.meta, subscriptionId);
      const subscription = await store.subscriptions.find(subscriptionId);
      const message = `subscription ${subscription?.name ?? subscriptionId} changed`;
      for (const config of await store.configs.using(subscriptionId)) await generateAnew(config, message);
      if (mark !== undefined) await unfollowed.done(store.meta, subscriptionId, mark);
    },
    /** The database knows which configs are behind, and which were being brought up to date when the manager died. */
    async ruleSetsChanged(): Promise<void> {
      const begun = [...(await store.meta.list(unfinished)).keys()].map((key) => key.slice(unfinished.length));
      for (const id of new Set([...begun, ...(await store.ruleSets.outdatedConfigs())])) {
        await store.meta.set(`${unfinished}${id}`, author);
        const config = await store.configs.find(id);
        if (config) await generateAnew(config, 'rule-sets changed');
        await store.meta.remove(`${unfinished}${id}`, author);
      }
    },
    /** Their new versions are stored with the change; what is left is to deploy them where that is wanted. */
    async settingsChanged(configIds: readonly string[], message: string): Promise<void> {
      for (const id of configIds) {
        const config = await store.configs.find(id);
        if (config) await deployNewest(config, message);
        await store.meta.remove(`${unfinished}${id}`, author);
      }
    },
    /** Changes that nobody followed because the manager stopped. */
    left: async (): Promise<string[]> => await unfollowed.ids(store.meta),
    /** What a freeze held back, where that has ended. */
    async deployHeld(): Promise<void> {
      for (const [configId, mark] of await held.all(store.meta)) {
        const config = await store.configs.find(configId);
        const state = config && (await deployNewest(config, 'after a freeze'));
        if (state !== 'held') await held.release(store.meta, configId, mark);
      }
    },
    /** A version that came while another was being deployed gets its turn; one that was halted does not come again. */
    async deploymentEnded(configId: string, version: number): Promise<void> {
      const config = await store.configs.find(configId);
      if (config?.version && config.version > version) await deployNewest(config, 'after the deployment before it');
    },
  };
}
