import type { Unit } from '@sbox/protocol';
import type { OrderSource } from '../order.ts';
import type { Store } from '../state/store.ts';

/** Where the files of a unit are on this machine; undefined for a config that was written here and names its own. */
export const filesOf = (
  { blobs }: Pick<Store, 'blobs'>,
  source: OrderSource,
  { files = [] }: Pick<Unit, 'files'>,
): Readonly<Record<string, string>> | undefined =>
  source === 'local' ? undefined : Object.fromEntries(files.map(({ path, digest }) => [path, blobs.fileOf(digest)]));
