// Orders as the reducer gets them: each content is named by its digest, and nobody ever asks for the bytes.
import type { Unit } from '@sbox/protocol';
import type { OrderData } from '../src/apply/decide/order-data.ts';
import { plainManifest, plainUnit } from './plain-manifest.ts';

export const watchMs = 10_000;

export interface OrderOptions {
  readonly epoch?: number;
  readonly source?: OrderData['source'];
  /** Unit name to the content of its config. */
  readonly units?: Readonly<Record<string, string>>;
  readonly unit?: Partial<Unit>;
  readonly confirm_ms?: number;
  readonly server_id?: string;
}

export function makeOrder(generation: number, options: OrderOptions = {}): OrderData {
  const {
    epoch = 1,
    source = 'manager',
    units = { edge: `c${generation}` },
    unit,
    confirm_ms,
    server_id = 'srv_test',
  } = options;
  return {
    source,
    key: `key-${generation}`,
    manifest: plainManifest({
      server_id,
      epoch,
      generation,
      ...(confirm_ms === undefined ? {} : { confirm_ms }),
      units: Object.entries(units).map(([name, content]) => ({ ...makeUnit(name, content), ...unit })),
    }),
  };
}

export const makeUnit = (name: string, content: string): Unit =>
  plainUnit({
    name,
    config: { digest: `sha256:${content}`, size: 1, config_id: null, version: null },
    probe: { urls: ['http://a/', 'http://b/'], expect: [204], need: 1, timeout_ms: 1000 },
    watch_ms: watchMs,
  });
