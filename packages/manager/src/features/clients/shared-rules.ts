import type { ClientRule } from '@sbox/protocol';
import type { Store } from '../../database/store.ts';
import { defaultRules } from './client-rules.ts';

/** The rules of all clients, kept in memory: every request asks for them, and one manager writes them. */
export interface SharedRules {
  get(): Promise<readonly ClientRule[]>;
  /** Call it when others were stored. */
  changed(): void;
}

export function createSharedRules({ clients }: Pick<Store, 'clients'>): SharedRules {
  let known: Promise<readonly ClientRule[]> | undefined;
  const load = async (): Promise<readonly ClientRule[]> => {
    const stored = await clients.sharedRules();
    return stored && stored.rules.length > 0 ? stored.rules : defaultRules;
  };
  return {
    async get() {
      const loading = (known ??= load());
      try {
        return await loading;
      } catch (error) {
        if (known === loading) known = undefined;
        throw error;
      }
    },
    changed: () => (known = undefined),
  };
}
