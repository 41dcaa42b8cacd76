import type { Manifest, Unit } from '@sbox/protocol';

/** A manifest that asks for nothing special. */
export const plainManifest = (
  own: Pick<Manifest, 'server_id' | 'generation' | 'units'> & Partial<Manifest>,
): Manifest => ({
  schema: 1,
  epoch: 1,
  issued_at: '2026-01-01T00:00:00Z',
  not_after: null,
  min_agent: '0.1.0',
  settings: { heartbeat_ms: 30_000, poll_ms: 60_000, reconnect_window_ms: 5000 },
  rollback_of: null,
  on_return: 'enforce',
  ...own,
});

/** A unit that asks for nothing special. */
export const plainUnit = (own: Pick<Unit, 'name' | 'config' | 'probe' | 'watch_ms'> & Partial<Unit>): Unit => ({
  kind: 'sing-box',
  engine: '>=1.12 <1.15',
  once: [],
  reload: 'auto',
  trial: true,
  ...own,
});
