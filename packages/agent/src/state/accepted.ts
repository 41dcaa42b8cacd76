import path from 'node:path';
import { compareGenerations, digestOf, type Generation } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import type { Manifest } from '@sbox/protocol';
import type { Order, OrderSource } from '../order.ts';
import { readOwn, type Disk } from './disk.ts';

/** The newest order that was taken into consideration; nothing older is, ever. */
export interface AcceptedOrder {
  readonly source: OrderSource;
  readonly manifest: Manifest;
}

export interface Accepted {
  readonly order: AcceptedOrder | undefined;
  /** Same generation means same content; a local order has no generation and is no part of this. */
  compare(manifest: Manifest): 'newer' | 'same' | 'older' | 'contradicts';
  store(order: Order): Promise<void>;
}

const contentOf = (manifest: Manifest): string => digestOf(Buffer.from(JSON.stringify(manifest)), sha256);

/** `least` is what the journal knows: nothing older is accepted also when the file itself was lost. */
export async function openAccepted(
  disk: Disk,
  stateDir: string,
  least: Generation = { epoch: 0, generation: 0 },
): Promise<Accepted> {
  const file = path.join(stateDir, 'accepted.json');
  let order = readOwn(await disk.read(file)) as AcceptedOrder | undefined;
  return {
    get order() {
      return order;
    },
    compare(manifest) {
      if (order === undefined) return compareGenerations(manifest, least) < 0 ? 'older' : 'newer';
      const sign = compareGenerations(manifest, order.manifest);
      if (sign !== 0) return sign > 0 ? 'newer' : 'older';
      return contentOf(manifest) === contentOf(order.manifest) ? 'same' : 'contradicts';
    },
    async store({ source, manifest }) {
      await disk.write(file, JSON.stringify({ source, manifest } satisfies AcceptedOrder));
      order = { source, manifest };
    },
  };
}
