import { digestOf, isoTime } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import type { Manifest } from '@sbox/protocol';
import type { Order } from '../order.ts';
import type { AgentSettings } from '../settings/schema.ts';
import { version } from '../version.ts';
import { createMemoryBlobs } from './bundle.ts';

export interface LocalOrderInput {
  /** JSON of an engine's config. */
  readonly content: Uint8Array;
  readonly serverId: string;
  /** What runs or was accepted before: the imported config takes the place of its unit and keeps its probe. */
  readonly before: Manifest | undefined;
  readonly unitName: string;
  readonly epoch: number;
  readonly nowMs: number;
  readonly settings: AgentSettings['import'];
}

const anyEngine = '>=1.12';

/** The order of an imported file, with a manifest that the agent writes for itself: generation 0, so that everything signed is newer. */
export function localOrder({ content, serverId, before, unitName, epoch, nowMs, settings }: LocalOrderInput): Order {
  const digest = digestOf(content, sha256);
  const { urls, expect, need, timeout } = settings.probe;
  const manifest: Manifest = {
    schema: 1,
    server_id: serverId,
    epoch,
    generation: 0,
    issued_at: isoTime(nowMs),
    not_after: null,
    min_agent: version,
    settings: before?.settings ?? { heartbeat_ms: 30_000, poll_ms: 60_000, reconnect_window_ms: 5000 },
    rollback_of: null,
    on_return: 'enforce',
    units: [
      {
        name: unitName,
        kind: 'sing-box',
        engine: anyEngine,
        config: { digest, size: content.length, config_id: null, version: null },
        once: [],
        reload: 'auto',
        trial: true,
        probe: before?.units[0]?.probe ?? { urls: [...urls], expect: [...expect], need, timeout_ms: timeout },
        watch_ms: before?.units[0]?.watch_ms ?? settings.watch,
      },
    ],
  };
  return { source: 'local', manifest, blobs: createMemoryBlobs(new Map([[digest, content]])) };
}
