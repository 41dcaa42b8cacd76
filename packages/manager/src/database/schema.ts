import type { Selectable } from 'kysely';

/**
 * Rows as they are stored. Times are RFC 3339 text in UTC, so that they sort as text; objects are JSON text; what is
 * large is zstd. Every row belongs to a tenant.
 */
interface TenantRow {
  tenant_id: string;
}

export interface MetaRow extends TenantRow {
  key: string;
  value: string;
}

export interface SubscriptionRow extends TenantRow {
  id: string;
  name: string;
  source: string;
  refresh_every: string;
  min_share: number;
  revision: number;
  version: number | null;
  pinned_version: number | null;
  nodes: number;
  rejected: number;
  usage: string | null;
  /** What the provider sent with the content that was taken last, for the next conditional request. */
  etag: string | null;
  last_modified: string | null;
  next_fetch_at: string | null;
  created_at: string;
  updated_at: string;
}

export interface SubscriptionVersionRow extends TenantRow {
  subscription_id: string;
  version: number;
  digest: string;
  format: string;
  nodes: number;
  rejected: number;
  /** zstd of JSON: `{nodes, rejected}`. */
  parsed: Uint8Array;
  /** zstd of the bytes as they came. */
  content: Uint8Array;
  created_at: string;
}

export interface FetchRow extends TenantRow {
  subscription_id: string;
  /** Counts up within the subscription. */
  number: number;
  id: string;
  at: string;
  outcome: string;
  version: number | null;
  status: number | null;
  bytes: number;
  duration_ms: number;
  code: string | null;
  detail: string | null;
}

export interface ConfigRow extends TenantRow {
  id: string;
  name: string;
  engine: string;
  settings: string;
  auto_deploy: number;
  /** JSON of the operators. */
  pipeline: string;
  template_name: string;
  /** JSON: `{version?, params}`. */
  template: string;
  /** JSON patch (RFC 6902) over the filled template. */
  patch: string;
  tests: string;
  tests_block: number;
  revision: number;
  version: number | null;
  created_at: string;
  updated_at: string;
}

export interface ConfigSubscriptionRow extends TenantRow {
  config_id: string;
  position: number;
  subscription_id: string;
}

export interface ConfigVersionRow extends TenantRow {
  config_id: string;
  version: number;
  digest: string;
  inputs: string;
  nodes: number;
  rollback_of: number | null;
  author: string;
  message: string;
  created_at: string;
}

export interface VersionRenditionRow extends TenantRow {
  config_id: string;
  version: number;
  profile: string;
  digest: string;
  outbounds: number;
  left_out: string;
  once: string;
  /** JSON: `[{path, digest, size}]`. */
  files: string;
}

export interface RenditionRow extends TenantRow {
  digest: string;
  size: number;
  /** zstd of the exact text. */
  content: Uint8Array;
}

/** Content that versions refer to beside their renditions. */
export interface BlobRow extends TenantRow {
  digest: string;
  size: number;
  /** zstd of the exact bytes. */
  content: Uint8Array;
  /** Not removed before, used or not: a version that names it may be on its way. */
  held_until: string;
}

/** What a version needs of the blobs; `url` is where a rule-set came from, empty for other files. */
export interface VersionFileRow extends TenantRow {
  config_id: string;
  version: number;
  digest: string;
  url: string;
}

export interface RuleSetRow extends TenantRow {
  url: string;
  /** Of the last good content; null while none ever came. */
  digest: string | null;
  size: number | null;
  format: string | null;
  etag: string | null;
  last_modified: string | null;
  /** When the content came, and when the server last said that it is still that. */
  fetched_at: string | null;
  checked_at: string | null;
  next_fetch_at: string | null;
  /** Of the last fetch, when it failed. */
  code: string | null;
  detail: string | null;
  created_at: string;
}

export interface TemplateRow extends TenantRow {
  name: string;
  version: number;
  revision: number;
  created_at: string;
  updated_at: string;
}

export interface TemplateVersionRow extends TenantRow {
  name: string;
  version: number;
  digest: string;
  template: string;
  author: string;
  message: string;
  created_at: string;
}

export interface ServerRow extends TenantRow {
  id: string;
  name: string;
  agent: string | null;
  engines: string;
  revision: number;
  seen_at: string | null;
  /** The last status, JSON. */
  status: string | null;
  created_at: string;
}

export interface AgentKeyRow extends TenantRow {
  server_id: string;
  keyid: string;
  public_key: Uint8Array;
  created_at: string;
  revoked_at: string | null;
  /** 1: the next key, which was not used yet. */
  is_candidate: number;
}

export interface JoinTokenRow extends TenantRow {
  id: string;
  name: string | null;
  secret_sha256: string;
  created_at: string;
  expires_at: string;
  used_at: string | null;
  /** Key of the server that used it; the same key may repeat a lost enrolment. */
  used_keyid: string | null;
  server_id: string | null;
}

export interface AssignmentRow extends TenantRow {
  server_id: string;
  unit: string;
  config_id: string;
  version: number;
  /** The version of the engine; empty: the server's own. */
  engine: string;
}

export interface ManifestRow extends TenantRow {
  server_id: string;
  epoch: number;
  generation: number;
  etag: string;
  envelope: Uint8Array;
  /** JSON of the units, to tell a new order from the one that is there. */
  units: string;
  created_at: string;
}

export interface EngineBuildRow extends TenantRow {
  digest: string;
  kind: string;
  version: string;
  arch: string;
  size: number;
  /** JSON. */
  tags: string;
  author: string;
  created_at: string;
}

export interface DeploymentRow extends TenantRow {
  id: string;
  config_id: string;
  version: number;
  /** The version of the engine; empty: each server's own. */
  engine: string;
  /** 0: nothing is taken back. */
  confirm_ms: number;
  state: string;
  reason: string | null;
  author: string;
  message: string;
  created_at: string;
  ended_at: string | null;
}

export interface DeploymentServerRow extends TenantRow {
  deployment_id: string;
  server_id: string;
  position: number;
  name: string;
  state: string;
  epoch: number;
  generation: number;
  /** When the server got the manifest; its verdict is due some time after. */
  sent_at: string | null;
}

export interface EventRow extends TenantRow {
  seq: number;
  id: string;
  type: string;
  timestamp: string;
  source: string;
  data: string;
}

export interface AccessTokenRow extends TenantRow {
  id: string;
  kind: string;
  name: string;
  secret_sha256: string;
  last4: string;
  /** JSON; empty where there is a role. */
  permissions: string;
  role: string | null;
  /** The person it belongs to; not a foreign key: a revoked token outlives the person. */
  user_id: string | null;
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
  revoked_at: string | null;
}

export interface UserRow extends TenantRow {
  id: string;
  name: string;
  display_name: string;
  /** With its salt and its parameters. */
  password_hash: string;
  role: string;
  totp_secret: string | null;
  /** The step of the last code that was taken: none is taken twice. */
  totp_last_step: number | null;
  /** JSON: SHA-256 of each recovery code that is left. */
  totp_recovery: string | null;
  disabled_at: string | null;
  seen_at: string | null;
  revision: number;
  created_at: string;
  updated_at: string;
}

export interface GuessRow extends TenantRow {
  user_id: string;
  /** Where it came from: an address, or the /64 of one. */
  place: string;
  /** In a row. */
  failures: number;
  locked_until: string | null;
  guessed_at: string;
}

export interface SessionRow extends TenantRow {
  id: string;
  secret_sha256: string;
  user_id: string;
  remote_address: string;
  user_agent: string;
  created_at: string;
  seen_at: string;
  expires_at: string;
}

export interface IdempotencyRow extends TenantRow {
  caller_id: string;
  key: string;
  request_digest: string;
  status: number;
  answer: string;
  created_at: string;
}

/** Column for column what is hashed, and the hash; `object` and `change` are JSON. */
export interface AuditEntryRow extends TenantRow {
  seq: number;
  v: number;
  ts: string;
  actor_type: string;
  actor_id: string;
  actor_name: string;
  token_id: string | null;
  ip: string;
  request_id: string;
  action: string;
  object: string;
  result: string;
  code: string | null;
  change: string;
  prev: string;
  hash: string;
}

export interface AuditCheckpointRow extends TenantRow {
  seq: number;
  hash: string;
  ts: string;
  signature: string;
  keyid: string;
  public_key: string;
}

export interface Tables {
  meta: MetaRow;
  subscriptions: SubscriptionRow;
  subscription_versions: SubscriptionVersionRow;
  fetches: FetchRow;
  configs: ConfigRow;
  config_subscriptions: ConfigSubscriptionRow;
  config_versions: ConfigVersionRow;
  config_version_renditions: VersionRenditionRow;
  renditions: RenditionRow;
  blobs: BlobRow;
  rule_sets: RuleSetRow;
  config_version_files: VersionFileRow;
  templates: TemplateRow;
  template_versions: TemplateVersionRow;
  servers: ServerRow;
  agent_keys: AgentKeyRow;
  join_tokens: JoinTokenRow;
  assignments: AssignmentRow;
  manifests: ManifestRow;
  engine_builds: EngineBuildRow;
  deployments: DeploymentRow;
  deployment_servers: DeploymentServerRow;
  events: EventRow;
  access_tokens: AccessTokenRow;
  users: UserRow;
  guesses: GuessRow;
  sessions: SessionRow;
  idempotency_keys: IdempotencyRow;
  audit_entries: AuditEntryRow;
  audit_checkpoints: AuditCheckpointRow;
}

export type Row<T extends keyof Tables> = Selectable<Tables[T]>;
