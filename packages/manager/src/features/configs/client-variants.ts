import type { Repositories } from '../../database/store.ts';
import type { VersionInputs } from './rendering.ts';
import { variantFor } from './variants.ts';

const maxKept = 500;

/**
 * Which variant of a version a client gets, and so with whom it shares an answer. Versions never change, and most have no
 * layers: those cost one look.
 */
export function createClientVariants({ configs }: Pick<Repositories, 'configs'>) {
  const known = new Map<string, Promise<VersionInputs | undefined>>();
  const load = async (id: string, version: number): Promise<VersionInputs | undefined> => {
    const inputs = (await configs.findVersion(id, version))?.inputs;
    return inputs?.layers ? inputs : undefined;
  };
  return async (config: { readonly id: string; readonly version: number }, user: string): Promise<string> => {
    const key = `${config.id} ${config.version}`;
    if (!known.has(key)) {
      const [oldest] = known.keys();
      if (known.size >= maxKept && oldest !== undefined) known.delete(oldest);
      const loading = load(config.id, config.version);
      known.set(key, loading);
      loading.catch(() => known.delete(key));
    }
    const inputs = await known.get(key);
    return inputs ? variantFor(inputs, { user }).variant : '';
  };
}
