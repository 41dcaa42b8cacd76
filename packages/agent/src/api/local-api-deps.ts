import type { Manifest } from '@sbox/protocol';
import type { OpenedImport } from '../import/importer.ts';
import type { Reconciler } from '../order.ts';
import type { ManagerSession } from '../sync/session.ts';
import type { StatusSource } from '../sync/status-source.ts';
import type { EventRing } from './event-ring.ts';
import type { ReloadTally } from './record-events.ts';

/** What the local API tells of and acts on. */
export interface LocalApiDeps {
  readonly reconciler: Reconciler;
  readonly statusSource: StatusSource;
  /** Undefined on a server that has no manager. */
  readonly manager: () => ManagerSession | undefined;
  readonly serverId: () => string | null;
  readonly events: EventRing;
  /** Take-overs by strategy since the agent started. */
  readonly reloads: () => ReadonlyMap<string, ReloadTally>;
  /** Takes a bundle: verified like a manifest from the network. */
  readonly importBundle: (bundle: Uint8Array) => Promise<Manifest>;
  /** A bundle or a config that somebody at this machine wants to apply. */
  readonly openFile: (name: string, content: Uint8Array) => Promise<OpenedImport>;
}
