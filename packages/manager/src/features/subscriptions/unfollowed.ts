import type { MetaRepository } from '../../database/meta-repository.ts';

const prefix = 'unfollowed ';

/**
 * Subscriptions whose change has not led to new versions of their configs yet. Written down with the change itself, so
 * that what follows from it is made up for when the manager died in between.
 */
export const unfollowed = {
  /** In the transaction of the change. */
  add: async (meta: MetaRepository, subscriptionId: string): Promise<void> =>
    void (await meta.next(`${prefix}${subscriptionId}`)),
  /** Which change is the newest; undefined when all was followed. */
  mark: async (meta: MetaRepository, subscriptionId: string): Promise<string | undefined> =>
    await meta.get(`${prefix}${subscriptionId}`),
  /** Forgets the mark, unless another change came since. */
  done: async (meta: MetaRepository, subscriptionId: string, mark: string): Promise<void> =>
    await meta.remove(`${prefix}${subscriptionId}`, mark),
  ids: async (meta: MetaRepository): Promise<string[]> =>
    [...(await meta.list(prefix)).keys()].map((key) => key.slice(prefix.length)),
};
