import path from 'node:path';
import type { Manifest } from '@sbox/protocol';
import type { Order, OrderSource } from '../order.ts';
import { readOwn, type Disk } from './disk.ts';

/** The newest order that was taken into consideration; nothing older is, ever. */
export interface AcceptedOrder {
  readonly source: OrderSource;
  readonly manifest: Manifest;
  /** Of the signed bytes; absent for what was stored before digests were, and for what nobody signed. */
  readonly digest?: string;
  readonly unsupported?: readonly string[];
}

export interface Accepted {
  readonly order: AcceptedOrder | undefined;
  store(order: Order): Promise<void>;
}

export async function openAccepted(disk: Disk, stateDir: string): Promise<Accepted> {
  const file = path.join(stateDir, 'accepted.json');
  let order = readOwn(await disk.read(file)) as AcceptedOrder | undefined;
  return {
    get order() {
      return order;
    },
    async store({ source, manifest, digest, unsupported = [] }) {
      const accepted: AcceptedOrder = {
        source,
        manifest,
        ...(digest === undefined ? {} : { digest }),
        ...(unsupported.length === 0 ? {} : { unsupported }),
      };
      await disk.write(file, JSON.stringify(accepted));
      order = accepted;
    },
  };
}
