import { createFakeClock, createNewId, type SboxEvent } from '@sbox/core';
import { randomBytes } from '@sbox/daemon/keys';
import { openDatabase, type OpenDatabase } from '../src/database/open-database.ts';
import { createStore, type Store } from '../src/database/store.ts';
import { publishedMarks } from '../src/features/configs/version-marks.ts';
import type { Config } from '../src/features/configs/configs-repository.ts';
import type { VersionInputs } from '../src/features/configs/rendering.ts';
import type { RuleSet } from '../src/features/rule-sets/rule-sets-repository.ts';
import type { Server } from '../src/features/servers/servers-repository.ts';
import type { Subscription } from '../src/features/subscriptions/subscriptions-repository.ts';

/** Databases that every repository must work on; a second one gets a row here. */
export const databases: { name: string; open: () => Promise<OpenDatabase> }[] = [
  { name: 'SQLite', open: async () => await openDatabase(':memory:') },
];

export const at = '2026-01-01T00:00:00.000Z';
export const later = '2026-01-02T00:00:00.000Z';

export const subscription = (id: string, change: Partial<Subscription> = {}): Subscription => ({
  id,
  name: `name-${id}`,
  project: 'default',
  source: '{}',
  refresh_every: '1h',
  min_share: 0.5,
  revision: 1,
  version: null,
  pinned_version: null,
  nodes: 0,
  rejected: 0,
  usage: null,
  etag: null,
  last_modified: null,
  next_fetch_at: null,
  created_at: at,
  updated_at: at,
  ...change,
});
export const config = (id: string, subscriptions: readonly string[]): Config => ({
  id,
  name: `name-${id}`,
  project: 'default',
  engine: 'sing-box',
  settings: { log_level: 'warn' },
  auto_deploy: false,
  pipeline: [],
  template: { name: 'mixed', params: {} },
  patch: [],
  tests: [],
  tests_block: true,
  revision: 1,
  version: null,
  last_number: 0,
  created_at: at,
  updated_at: at,
  subscriptions,
});
export const server = (id: string): Server => ({
  id,
  name: `name-${id}`,
  agent: null,
  engines: [],
  labels: {},
  environment: null,
  revision: 1,
  seen_at: null,
  status: null,
  created_at: at,
});
const settings = { log_level: 'warn' } as VersionInputs['settings'];
export const inputs: VersionInputs = { engine: 'sing-box', snapshots: [], settings };
export const ruleSet = (url: string, change: Partial<RuleSet> = {}): RuleSet => ({
  url,
  digest: null,
  size: null,
  format: null,
  etag: null,
  last_modified: null,
  fetched_at: null,
  checked_at: null,
  next_fetch_at: null,
  code: null,
  detail: null,
  created_at: at,
  ...change,
});
export const versionRow = (config_id: string, version: number) => ({
  config_id,
  version,
  digest: `sha256:${version}`,
  inputs,
  nodes: 1,
  rollback_of: null,
  author: 'a',
  message: '',
  created_at: at,
  ...publishedMarks({ created_at: at, author: 'a' }),
});
export const rendition = (digest: string, profile = 'p') => ({
  profile,
  variant: '',
  differs: {},
  digest,
  size: 4,
  outbounds: 1,
  left_out: [],
  once: ['x'],
  files: [],
});

/** A store of a tenant on a database of its own, or on a shared one. */
export const openStoreOn = async (open: () => Promise<OpenDatabase>, tenant = 'main') => {
  const database = await open();
  const published: SboxEvent[] = [];
  const deps = {
    db: database.db,
    clock: createFakeClock(),
    newId: createNewId(randomBytes),
    published: (events: readonly SboxEvent[]) => void published.push(...events),
  };
  const store: Store = createStore(deps, tenant);
  return { store, database, published, [Symbol.asyncDispose]: database[Symbol.asyncDispose] };
};
