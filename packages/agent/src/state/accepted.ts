import path from 'node:path';
import { compareGenerations, digestOf } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import type { Manifest } from '@sbox/protocol';
import type { Order, OrderSource } from '../order.ts';
import type { Disk } from './disk.ts';

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

export async function openAccepted(disk: Disk, stateDir: string): Promise<Accepted> {
  const file = path.join(stateDir, 'accepted.json');
  const bytes = await disk.read(file);
  let order = bytes === undefined ? undefined : (JSON.parse(bytes.toString('utf8')) as AcceptedOrder);
  return {
    get order() {
      return order;
    },
    compare(manifest) {
      const sign = order === undefined ? 1 : compareGenerations(manifest, order.manifest);
      if (sign !== 0 || order === undefined) return sign > 0 ? 'newer' : 'older';
      return contentOf(manifest) === contentOf(order.manifest) ? 'same' : 'contradicts';
    },
    async store({ source, manifest }) {
      await disk.write(file, JSON.stringify({ source, manifest } satisfies AcceptedOrder));
      order = { source, manifest };
    },
  };
}
