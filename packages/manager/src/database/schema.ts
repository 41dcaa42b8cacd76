import type { Generated, Selectable } from 'kysely';

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
  project: string;
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
  /** The keyframes that the two are packed with. */
  base: number | null;
  content_base: number | null;
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
  project: string;
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
  /** The newest that is published. */
  version: number | null;
  /** The highest that a version was ever given, so that none is given twice. */
  last_number: number;
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
  /** JSON; empty where it is in `packed`. */
  inputs: string;
  /** The same, compressed, with the keyframe in `base` if there is one. */
  packed: Uint8Array | null;
  base: number | null;
  nodes: number;
  rollback_of: number | null;
  author: string;
  message: string;
  /** `draft` or `published`. */
  state: string;
  /** JSON: names that stand for this version and no other one of the config. */
  tags: string;
  notes: string;
  /** JSON: what the policies found when it was made or published. */
  findings: string;
  /** Of what may change: state, tags and notes. */
  revision: number;
  published_at: string | null;
  published_by: string | null;
  created_at: string;
}

export interface VersionRenditionRow extends TenantRow {
  config_id: string;
  version: number;
  profile: string;
  /** Empty for what everybody gets whom no layer of settings is for. */
  variant: string;
  /** JSON: the settings that make the variant. */
  differs: string;
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
  /** zstd of the exact text, with the keyframe in `base` if there is one. */
  content: Uint8Array;
  base: number | null;
}

/** Content that versions refer to beside their renditions. */
export interface BlobRow extends TenantRow {
  digest: string;
  size: number;
  /** zstd of the exact bytes, with the keyframe in `base` if there is one. */
  content: Uint8Array;
  base: number | null;
  /** Not removed before, used or not: a version that names it may be on its way. */
  held_until: string;
}

/** Content that other content is packed with: the dictionary of what follows from it. */
export interface KeyframeRow extends TenantRow {
  /** Never used again. */
  id: Generated<number>;
  size: number;
  /** zstd of the exact bytes. */
  content: Uint8Array;
}

/** The keyframe of what comes next in a line of contents, as the versions of one config are. */
export interface KeyframeLineRow extends TenantRow {
  line: string;
  keyframe: number;
  uses: number;
  /** Bytes of what grew since the keyframe. */
  spent: number;
}

/** What a version needs of the blobs; `url` is where a rule-set came from, empty for other files. */
export interface VersionFileRow extends TenantRow {
  config_id: string;
  version: number;
  digest: string;
  url: string;
}

/** Which snapshots a version was made from. */
export interface VersionSnapshotRow extends TenantRow {
  config_id: string;
  version: number;
  subscription_id: string;
  snapshot: number;
}

/** A version that retention removed. Its number is not used again. */
export interface RemovedVersionRow extends TenantRow {
  config_id: string;
  version: number;
  removed_at: string;
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

/** Policies of people, and which of those that come with sbox are switched in another way than they come. */
export interface PolicyRow extends TenantRow {
  name: string;
  /** 1: the test comes with sbox; null below means as it comes. */
  built_in: number;
  description: string;
  verdict: string | null;
  reason: string | null;
  /** JSON: `{query, at_most, at_least}` or `{expression}`. */
  test: string | null;
  /** JSON of the ids; null: all configs. */
  configs: string | null;
  enabled: number;
  revision: number;
  created_at: string;
  updated_at: string;
}

export interface TemplateRow extends TenantRow {
  name: string;
  project: string;
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

/** Values of one scope of settings; `file` and `variable` are what the manager was started with. */
export interface SettingLayerRow extends TenantRow {
  scope: string;
  /** JSON by dotted keys. */
  values: string;
  version: number;
  updated_at: string;
}

export interface SettingVersionRow extends TenantRow {
  scope: string;
  version: number;
  values: string;
  /** JSON: the keys that differ from the version before. */
  changed: string;
  author: string;
  message: string;
  created_at: string;
}

export interface SettingOverrideRow extends TenantRow {
  id: string;
  scope: string;
  key: string;
  /** JSON. */
  value: string;
  reason: string;
  author: string;
  created_at: string;
  ends_at: string;
}

export interface ServerRow extends TenantRow {
  id: string;
  name: string;
  agent: string | null;
  engines: string;
  revision: number;
  /** JSON. */
  labels: string;
  /** The name of its environment. */
  environment: string | null;
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
  /** JSON; what the server that joins gets. */
  labels: string;
  environment: string | null;
  secret_sha256: string;
  created_at: string;
  expires_at: string;
  used_at: string | null;
  /** Key of the server that used it; the same key may repeat a lost enrolment. */
  used_keyid: string | null;
  server_id: string | null;
}

/** What a server was sent, unit for unit. */
export interface ServerAssignmentRow extends TenantRow {
  server_id: string;
  unit: string;
  config_id: string;
  version: number;
  /** The version of the engine; empty: the server's own. */
  engine: string;
  /** JSON: the environment and labels that the server had when it was sent this. */
  facts: string;
}

/** Says which servers a config is for. */
export interface AssignmentRow extends TenantRow {
  id: string;
  name: string;
  /** As it was written. */
  selector: string;
  /** Null: of every environment, and of none. */
  environment: string | null;
  unit: string;
  config_id: string;
  /** What was deployed to its servers last; null: nothing yet. */
  version: number | null;
  /** The version of the engine that it was deployed with; empty: each server's own. */
  engine: string;
  revision: number;
  created_at: string;
  updated_at: string;
}

export interface EnvironmentRow extends TenantRow {
  name: string;
  description: string;
  color: string;
  /** JSON of the freeze windows. */
  freezes: string;
  revision: number;
  created_at: string;
  updated_at: string;
}

/** Who takes a config at `/sub`. */
export interface ClientRow extends TenantRow {
  id: string;
  name: string;
  config_id: string;
  title: string;
  note: string;
  enabled: number;
  expires_at: string | null;
  /** JSON. */
  hwid: string;
  update_interval_hours: number;
  /** JSON. */
  usage: string | null;
  support_url: string | null;
  web_page_url: string | null;
  announce: string;
  format: string;
  /** JSON. */
  rules: string;
  token_sha256: string;
  /** How many links were given before this one. */
  rotation: number;
  revision: number;
  created_at: string;
  updated_at: string;
}

export interface ClientDeviceRow extends TenantRow {
  client_id: string;
  hwid: string;
  os: string;
  os_version: string;
  model: string;
  user_agent: string;
  first_seen_at: string;
  seen_at: string;
}

export interface ClientFetchRow extends TenantRow {
  client_id: string;
  /** Grows with each fetch of the client. */
  number: number;
  at: string;
  user_agent: string;
  hwid: string | null;
  format: string | null;
  rule: string;
  outcome: string;
  version: number | null;
  left_out: number;
}

/** The rules that all clients share; one row, or none while they are those of sbox. */
export interface ClientRulesRow extends TenantRow {
  name: string;
  /** JSON. */
  rules: string;
  revision: number;
  updated_at: string;
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

/** Which versions the units of a manifest run. */
export interface ManifestVersionRow extends TenantRow {
  server_id: string;
  epoch: number;
  generation: number;
  config_id: string;
  version: number;
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
  /** Why it was deployed in spite of a freeze. */
  override_freeze: string | null;
  /** JSON: the assignments that get the version when it has succeeded. */
  assignments: string;
  /** The assignment whose newcomers it brings up; such a one runs beside others of the config. */
  newcomers_of: string | null;
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
  /** JSON; null: held to nothing. */
  bounds: string | null;
  /** The person it belongs to; not a foreign key: a revoked token outlives the person. */
  user_id: string | null;
  created_at: string;
  expires_at: string | null;
  last_used_at: string | null;
  revoked_at: string | null;
  /** Who made it: a person, or a token; null for the first one, and for those of before. */
  created_by: string | null;
}

export interface UserRow extends TenantRow {
  id: string;
  name: string;
  display_name: string;
  /** With its salt and its parameters. */
  password_hash: string;
  role: string;
  /** JSON; null: held to nothing. */
  bounds: string | null;
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

/** Who a person is at an identity provider; an address of theirs is no identity: it can be given to somebody else. */
export interface IdentityRow extends TenantRow {
  issuer: string;
  subject: string;
  user_id: string;
  created_at: string;
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
  /** When the person last showed who they are; null: at a time that the identity provider did not tell. */
  proven_at: string | null;
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
  keyframes: KeyframeRow;
  keyframe_lines: KeyframeLineRow;
  rule_sets: RuleSetRow;
  config_version_files: VersionFileRow;
  config_version_snapshots: VersionSnapshotRow;
  removed_config_versions: RemovedVersionRow;
  policies: PolicyRow;
  templates: TemplateRow;
  template_versions: TemplateVersionRow;
  setting_layers: SettingLayerRow;
  setting_versions: SettingVersionRow;
  setting_overrides: SettingOverrideRow;
  servers: ServerRow;
  agent_keys: AgentKeyRow;
  join_tokens: JoinTokenRow;
  server_assignments: ServerAssignmentRow;
  assignments: AssignmentRow;
  environments: EnvironmentRow;
  clients: ClientRow;
  client_devices: ClientDeviceRow;
  client_fetches: ClientFetchRow;
  client_rules: ClientRulesRow;
  manifests: ManifestRow;
  manifest_versions: ManifestVersionRow;
  engine_builds: EngineBuildRow;
  deployments: DeploymentRow;
  deployment_servers: DeploymentServerRow;
  events: EventRow;
  access_tokens: AccessTokenRow;
  users: UserRow;
  guesses: GuessRow;
  identities: IdentityRow;
  sessions: SessionRow;
  idempotency_keys: IdempotencyRow;
  audit_entries: AuditEntryRow;
  audit_checkpoints: AuditCheckpointRow;
}

export type Row<T extends keyof Tables> = Selectable<Tables[T]>;
