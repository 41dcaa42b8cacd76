import type { Manifest } from '@sbox/protocol';
import { digestOfBytes } from './manager-double.ts';
import { plainManifest, plainUnit } from './plain-manifest.ts';

export const configText = (name: string): Uint8Array =>
  Buffer.from(JSON.stringify({ log: { level: 'warn' }, note: name }));

/** A manifest with one unit, for one content. */
export function testManifest(
  serverId: string,
  generation: number,
  content: Uint8Array,
  more: Partial<Manifest> = {},
): Manifest {
  const unit = plainUnit({
    name: 'main',
    config: { digest: digestOfBytes(content), size: content.length, config_id: 'cfg_1', version: generation },
    probe: { urls: ['http://127.0.0.1:1/'], expect: [204], need: 1, timeout_ms: 1000 },
    watch_ms: 10_000,
  });
  return plainManifest({ server_id: serverId, generation, units: [unit], ...more });
}
