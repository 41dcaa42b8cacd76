import type { MetaRepository } from '../../database/meta-repository.ts';
import type { Store } from '../../database/store.ts';

const prefix = 'held deployment ';

/** Versions that would be deployed by themselves and wait for the end of a freeze; they outlive the manager. */
export const held = {
  async hold(store: Store, configId: string, version: number, detail: string): Promise<void> {
    const key = `${prefix}${configId}`;
    await store.transaction(async (tx) => {
      if ((await tx.meta.get(key)) === String(version)) return;
      await tx.meta.set(key, String(version));
      await tx.events.add('deployment.held', { config_id: configId, version, detail });
    });
  },
  /** By config, with what `release` is to be told. */
  all: async (meta: MetaRepository): Promise<readonly (readonly [configId: string, mark: string])[]> =>
    [...(await meta.list(prefix))].map(([key, mark]) => [key.slice(prefix.length), mark]),
  release: async (meta: MetaRepository, configId: string, mark: string): Promise<void> =>
    await meta.remove(`${prefix}${configId}`, mark),
};
