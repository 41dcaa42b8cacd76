import type { Manifest } from '@sbox/protocol';
import { digestOfBytes } from './manager-double.ts';

export const configText = (name: string): Uint8Array =>
  Buffer.from(JSON.stringify({ log: { level: 'warn' }, note: name }));

/** A manifest with one unit, for one content. */
export function testManifest(
  serverId: string,
  generation: number,
  content: Uint8Array,
  more: Partial<Manifest> = {},
): Manifest {
  return {
    schema: 1,
    server_id: serverId,
    epoch: 1,
    generation,
    issued_at: '2026-01-01T00:00:00.000Z',
    not_after: null,
    min_agent: '0.1.0',
    settings: { heartbeat_ms: 30_000, poll_ms: 60_000, reconnect_window_ms: 5000 },
    rollback_of: null,
    on_return: 'enforce',
    units: [
      {
        name: 'main',
        kind: 'sing-box',
        engine: '>=1.12 <1.15',
        config: { digest: digestOfBytes(content), size: content.length, config_id: 'cfg_1', version: generation },
        once: [],
        reload: 'auto',
        trial: true,
        probe: { urls: ['http://127.0.0.1:1/'], expect: [204], need: 1, timeout_ms: 1000 },
        watch_ms: 10_000,
      },
    ],
    ...more,
  };
}
