import { parseScope } from '@sbox/protocol';
import type { Store } from '../../database/store.ts';

interface Removing {
  remove(id: string, ifMatch: string): Promise<void>;
}

export interface ForgettingDeps {
  readonly store: Pick<Store, 'meta' | 'servers' | 'environments' | 'clients'>;
  /** Takes the settings of a scope away. */
  readonly forget: (scope: string) => Promise<void>;
  /** Does what nobody waits for. */
  readonly run: (task: () => Promise<void>) => void;
}

type Kind = 'server' | 'environment' | 'user';

/** Scopes of what is being deleted: a manager that died meanwhile finds them here. */
const prefix = 'forget settings ';
const isThere: Readonly<Record<Kind, (store: ForgettingDeps['store'], name: string) => Promise<unknown>>> = {
  server: async ({ servers }, name) => await servers.find(name),
  environment: async ({ environments }, name) => await environments.find(name),
  user: async ({ clients }, name) => await clients.find(name),
};

export interface Forgetting {
  /** Takes the settings away that were written for a thing, once it is deleted: another of its name begins without them. */
  around<T extends Removing>(service: T, nameOf: (id: string) => Promise<string | undefined>, kind: Kind): T;
  /** Makes up for what a manager that died has not forgotten; before anybody is answered. */
  left(): Promise<void>;
}

export function createForgetting({ store, forget, run }: ForgettingDeps): Forgetting {
  const { meta } = store;
  const finish = async (scope: string): Promise<void> => {
    await forget(scope);
    await meta.remove(prefix + scope, scope);
  };
  return {
    around: (service, nameOf, kind) => ({
      ...service,
      async remove(id, ifMatch) {
        const name = await nameOf(id);
        if (name === undefined) return await service.remove(id, ifMatch);
        const scope = `${kind}:${name}`;
        await meta.set(prefix + scope, scope);
        try {
          await service.remove(id, ifMatch);
        } catch (error) {
          await meta.remove(prefix + scope, scope);
          throw error;
        }
        run(async () => await finish(scope));
      },
    }),
    async left() {
      for (const scope of (await meta.list(prefix)).values()) {
        const found = parseScope(scope);
        const kind = found.kind as Kind;
        const isKept = 'name' in found && (await isThere[kind](store, found.name)) !== undefined;
        await (isKept ? meta.remove(prefix + scope, scope) : finish(scope));
      }
    },
  };
}
