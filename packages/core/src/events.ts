/**
 * Every event, with its payload. Past tense; written with the change that it tells of and kept for `events`.
 * Each payload carries ids and words for people, never secrets.
 */
export interface EventMap {
  /** A fetch gave content that differs from the last version. */
  'subscription.changed': {
    subscription_id: string;
    version: number;
    added: number;
    removed: number;
    rejected: number;
  };
  /** A fetch gave nothing usable; the last good version stays. */
  'subscription.fetch-failed': { subscription_id: string; code: string; detail: string };
  /** A fetch gave content that looks wrong (no or far fewer nodes); the last good version stays. */
  'subscription.quarantined': { subscription_id: string; nodes: number; last_nodes: number };
  'subscription.created': { subscription_id: string; name: string };
  /** Fields of it, by their names. */
  'subscription.edited': { subscription_id: string; name: string; changed: string[] };
  /** Configs use this version of it, or the newest again. */
  'subscription.pinned': { subscription_id: string; name: string; version: number | null };
  'subscription.deleted': { subscription_id: string; name: string };
  /** A mirrored rule-set has other content; configs that use it get new versions. */
  'rule-set.changed': { url: string; digest: string };
  /** A mirrored rule-set could not be fetched; the last good content stays. */
  'rule-set.fetch-failed': { url: string; code: string; detail: string };
  /** Servers can be given this program from now on. */
  'engine.added': { digest: string; version: string; arch: string };
  'engine.removed': { digest: string; version: string; arch: string };
  'template.created': { name: string };
  'template.changed': { name: string; version: number };
  'template.deleted': { name: string };
  'client.created': { client_id: string; name: string };
  /** Fields of it, by their names. */
  'client.edited': { client_id: string; name: string; changed: string[] };
  /** It has a new link; the one before is no longer good. */
  'client.link-rotated': { client_id: string; name: string };
  'client.deleted': { client_id: string; name: string };
  /** A device that was not known took the config of this client. */
  'client.device-added': { client_id: string; name: string; devices: number };
  'client.device-removed': { client_id: string; name: string; devices: number };
  /** Which program gets which format. */
  'client-rules.changed': { rules: number };
  /** Values of a scope were written; configs that read them got new versions. The version is null for an override. */
  'settings.changed': { scope: string; keys: string[]; version: number | null };
  'config.created': { config_id: string; name: string };
  /** Its recipe, by the names of what is written down; a new version is made from it when it is generated. */
  'config.edited': { config_id: string; name: string; changed: string[] };
  'config.deleted': { config_id: string; name: string };
  /** A new version exists; nothing runs it yet. */
  'config.version-created': { config_id: string; version: number; digest: string };
  /** A draft of a version exists; it is not deployed before it is published. */
  'config.version-drafted': { config_id: string; version: number; digest: string };
  /** A draft became the newest version. */
  'config.version-published': { config_id: string; version: number; digest: string };
  /** A version has other tags or notes. */
  'config.version-marked': { config_id: string; version: number; tags: string[]; changed: string[] };
  /** A draft was deleted; its number is not given again. */
  'config.version-deleted': { config_id: string; version: number };
  'policy.created': { name: string; verdict: string; enabled: boolean };
  /** Fields of it, by their names. */
  'policy.changed': { name: string; verdict: string; enabled: boolean; changed: string[] };
  'policy.deleted': { name: string };
  /** Generating after a change failed; the last version stays. */
  'config.generate-failed': { config_id: string; code: string; detail: string };
  /** Old versions and snapshots that nobody needs were removed; `of` is the config or subscription, empty when there was nothing. */
  'retention.removed': { of: string; name: string; versions: number; drafts: number; snapshots: number };
  'deployment.started': {
    deployment_id: string;
    config_id: string;
    version: number;
    servers: number;
    /** What the servers were chosen by, where they were not named. */
    environment?: string | undefined;
    selector?: string | undefined;
    /** Why it was deployed in spite of a freeze. */
    override_freeze?: string | undefined;
  };
  /** An environment is frozen: the newest version of a config that is deployed by itself waits for the end of that. */
  'deployment.held': { config_id: string; version: number; detail: string };
  /** Every server that is online runs the version. */
  'deployment.succeeded': { deployment_id: string; config_id: string; version: number };
  /** A server refused the version; the others were not touched. */
  'deployment.halted': {
    deployment_id: string;
    config_id: string;
    version: number;
    server_id: string;
    code: string;
    detail: string;
  };
  'environment.created': { name: string };
  /** What stands in `changed`: description, color or freeze windows. */
  'environment.edited': { name: string; changed: string[] };
  'environment.deleted': { name: string };
  'assignment.created': { assignment_id: string; name: string; config_id: string };
  'assignment.edited': { assignment_id: string; name: string; config_id: string; changed: string[] };
  'assignment.deleted': { assignment_id: string; name: string; config_id: string };
  'join-token.created': { join_token_id: string; name: string | null; expires_at: string };
  'join-token.deleted': { join_token_id: string };
  'server.joined': { server_id: string; name: string };
  /** Its name, labels or environment, by their names. */
  'server.edited': { server_id: string; name: string; changed: string[] };
  'server.deleted': { server_id: string; name: string };
  /** The server runs what it should, after the watch. */
  'server.committed': { server_id: string; epoch: number; generation: number };
  /** The server took over the new version; the watch goes on. */
  'server.serving': { server_id: string; epoch: number; generation: number };
  /** The server refused a generation and keeps what it ran. */
  'server.refused': { server_id: string; epoch: number; generation: number; code: string; detail: string };
  /** Two machines run with one identity; the one that came second is refused. */
  'server.identity-cloned': { server_id: string; detail: string };
  /** The server signs with another key; the one before is no longer good. */
  'server.key-rotated': { server_id: string; keyid: string };
  'user.created': { user_id: string; name: string; role: string };
  /** Name, role, password, or whether the user may come in. */
  'user.changed': { user_id: string; name: string; role: string; changed: string[] };
  'user.removed': { user_id: string; name: string };
  'session.opened': { session_id: string; user_id: string; name: string };
  /** The audit log is not what was written: it was changed, or cut, beside the manager. */
  'audit.broken': { seq: number; fault: string };
  /** A person showed once more who they are. */
  'session.proven': { session_id: string; user_id: string; name: string };
  'session.closed': { session_id: string; user_id: string; name: string };
  /** A wrong password or code for a user that there is; not told while the user is locked. */
  'session.refused': { user_id: string; name: string; failed_attempts: number };
  'token.created': { token_id: string; name: string };
  'token.revoked': { token_id: string; name: string };
  'server.online': { server_id: string };
  'server.offline': { server_id: string; seen_at: string };
}

export type EventName = keyof EventMap;

/** One event as it is stored and sent. */
export interface SboxEvent<N extends EventName = EventName> {
  readonly id: string;
  /** Grows by one for each event of a source; a gap means that events were lost. */
  readonly seq: number;
  readonly type: N;
  readonly timestamp: string;
  readonly source: string;
  readonly data: EventMap[N];
}
