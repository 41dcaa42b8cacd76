import type { EventMap, EventName } from '@sbox/core';
import * as z from 'zod/mini';
import { countSchema, idSchema, nameSchema, timeSchema } from './schema.ts';

interface EventRow<N extends EventName> {
  readonly summary: string;
  readonly data: z.ZodMiniType<EventMap[N]>;
}

const row = <N extends EventName>(summary: string, data: z.ZodMiniType<EventMap[N]>): EventRow<N> => ({
  summary,
  data,
});

const subscription = { subscription_id: idSchema };
const config = { config_id: idSchema };
const deployment = { deployment_id: idSchema, config_id: idSchema, version: countSchema };
const server = { server_id: idSchema };
const generation = { ...server, epoch: countSchema, generation: countSchema };
const failure = { code: z.string(), detail: z.string() };
const named = { name: nameSchema };
const assignment = z.object({ assignment_id: idSchema, name: nameSchema, config_id: idSchema });
const user = { user_id: idSchema, ...named };
const session = { session_id: idSchema, ...user };
const token = z.object({ token_id: idSchema, ...named });
const client = z.object({ client_id: idSchema, ...named });
const policy = { ...named, verdict: z.string(), enabled: z.boolean() };
const engine = z.object({ digest: z.string(), version: z.string(), arch: z.string() });

/** Core's event map as schemas, for documents. A missing event or another payload is a type error. */
export const eventSchemas: { readonly [N in EventName]: EventRow<N> } = {
  'subscription.changed': row(
    'A fetch gave content that differs from the last version.',
    z.object({
      ...subscription,
      version: countSchema,
      added: countSchema,
      removed: countSchema,
      rejected: countSchema,
    }),
  ),
  'subscription.fetch-failed': row(
    'A fetch gave nothing usable; the last good version stays.',
    z.object({ ...subscription, ...failure }),
  ),
  'subscription.quarantined': row(
    'A fetch gave content that looks wrong; the last good version stays.',
    z.object({ ...subscription, nodes: countSchema, last_nodes: countSchema }),
  ),
  'subscription.created': row('A subscription was added.', z.object({ ...subscription, ...named })),
  'subscription.edited': row(
    'What was written down about a subscription is another.',
    z.object({ ...subscription, ...named, changed: z.array(z.string()) }),
  ),
  'subscription.pinned': row(
    'Configs use this version of a subscription; null: the newest again.',
    z.object({ ...subscription, ...named, version: z.nullable(countSchema) }),
  ),
  'subscription.deleted': row('A subscription was deleted.', z.object({ ...subscription, ...named })),
  'rule-set.changed': row(
    'A mirrored rule-set has other content; configs that use it get new versions.',
    z.object({ url: z.string(), digest: z.string() }),
  ),
  'rule-set.fetch-failed': row(
    'A mirrored rule-set could not be fetched; the last good content stays.',
    z.object({ url: z.string(), ...failure }),
  ),
  'engine.added': row('Servers can be given this program from now on.', engine),
  'engine.removed': row('A program is not kept any more.', engine),
  'template.created': row('A template was made.', z.object(named)),
  'template.changed': row('A template has a new version.', z.object({ ...named, version: countSchema })),
  'template.deleted': row('A template was deleted.', z.object(named)),
  'client.created': row('A client was made.', client),
  'client.edited': row(
    'What was written down about a client is another.',
    z.extend(client, { changed: z.array(z.string()) }),
  ),
  'client.link-rotated': row('A client has a new link; the one before is no longer good.', client),
  'client.deleted': row('A client was deleted.', client),
  'client.device-added': row(
    'A device that was not known took the config of this client.',
    z.extend(client, { devices: countSchema }),
  ),
  'client.device-removed': row('A device of a client was forgotten.', z.extend(client, { devices: countSchema })),
  'client-rules.changed': row('Which program gets which format is another.', z.object({ rules: countSchema })),
  'settings.changed': row(
    'Values of a scope were written or an override came or went; `version` is null for an override.',
    z.object({ scope: z.string(), keys: z.array(z.string()), version: z.nullable(countSchema) }),
  ),
  'config.created': row('A config was made.', z.object({ ...config, ...named })),
  'config.edited': row(
    'A recipe was changed; the next version is made from it.',
    z.object({ ...config, ...named, changed: z.array(z.string()) }),
  ),
  'config.deleted': row('A config was deleted.', z.object({ ...config, ...named })),
  'config.version-created': row(
    'A new version exists; nothing runs it yet.',
    z.object({ ...config, version: countSchema, digest: z.string() }),
  ),
  'config.version-drafted': row(
    'A draft of a version exists; it is not deployed before it is published.',
    z.object({ ...config, version: countSchema, digest: z.string() }),
  ),
  'config.version-published': row(
    'A draft became the newest version.',
    z.object({ ...config, version: countSchema, digest: z.string() }),
  ),
  'config.version-marked': row(
    'A version has other tags or notes.',
    z.object({ ...config, version: countSchema, tags: z.array(z.string()), changed: z.array(z.string()) }),
  ),
  'config.version-deleted': row('A draft was deleted.', z.object({ ...config, version: countSchema })),
  'policy.created': row('A policy was made.', z.object(policy)),
  'policy.changed': row(
    'A policy was changed: what stands in `changed`.',
    z.object({ ...policy, changed: z.array(z.string()) }),
  ),
  'policy.deleted': row('A policy was deleted.', z.object(named)),
  'config.generate-failed': row(
    'Generating after a change failed; the last version stays.',
    z.object({ ...config, ...failure }),
  ),
  'retention.removed': row(
    'Old versions of a config, or snapshots of a subscription, that nobody needs were removed.',
    z.object({
      of: z.string(),
      name: z.string(),
      versions: countSchema,
      drafts: countSchema,
      snapshots: countSchema,
    }),
  ),
  'deployment.started': row(
    'Servers are being moved to a version, those that `environment` or `selector` chose where it is there; `override_freeze` says why in spite of a freeze.',
    z.object({
      ...deployment,
      servers: countSchema,
      environment: z.optional(z.string()),
      selector: z.optional(z.string()),
      override_freeze: z.optional(z.string()),
    }),
  ),
  'deployment.held': row(
    'An environment is frozen: what would be deployed by itself waits for the end of that.',
    z.object({ ...config, version: countSchema, detail: z.string() }),
  ),
  'deployment.succeeded': row('Every server that is online runs the version.', z.object(deployment)),
  'deployment.halted': row(
    'A server refused the version; the others were not touched.',
    z.object({ ...deployment, ...server, ...failure }),
  ),
  'environment.created': row('An environment was made.', z.object(named)),
  'environment.edited': row(
    'Description, color or freeze windows of an environment are others.',
    z.object({ ...named, changed: z.array(z.string()) }),
  ),
  'environment.deleted': row('An environment was deleted.', z.object(named)),
  'assignment.created': row('It was said which servers a config is for.', assignment),
  'assignment.edited': row(
    'An assignment is another; servers that came to be meant are sent its version.',
    z.extend(assignment, { changed: z.array(z.string()) }),
  ),
  'assignment.deleted': row('An assignment was deleted; servers keep what they run.', assignment),
  'join-token.created': row(
    'One server can join.',
    z.object({ join_token_id: idSchema, name: z.nullable(nameSchema), expires_at: timeSchema }),
  ),
  'join-token.deleted': row('A join token is not good any more.', z.object({ join_token_id: idSchema })),
  'server.joined': row('A server joined.', z.object({ ...server, ...named })),
  'server.edited': row(
    'Name, labels or environment of a server are others.',
    z.object({ ...server, ...named, changed: z.array(z.string()) }),
  ),
  'server.deleted': row('A server was deleted.', z.object({ ...server, ...named })),
  'server.committed': row('The server runs what it should, after the watch.', z.object(generation)),
  'server.serving': row('The server took over the new version; the watch goes on.', z.object(generation)),
  'server.refused': row(
    'The server refused a generation and keeps what it ran.',
    z.object({ ...generation, ...failure }),
  ),
  'server.identity-cloned': row(
    'Two machines run with one identity; the one that came second is refused.',
    z.object({ ...server, detail: z.string() }),
  ),
  'server.key-rotated': row(
    'The server signs with another key; the one before is no longer good.',
    z.object({ ...server, keyid: z.string() }),
  ),
  'user.created': row('A user was made.', z.object({ ...user, role: z.string() })),
  'user.changed': row(
    'A user was changed: what stands in `changed`.',
    z.object({ ...user, role: z.string(), changed: z.array(z.string()) }),
  ),
  'user.removed': row('A user was removed.', z.object(user)),
  'session.opened': row('A person has logged in.', z.object(session)),
  'audit.broken': row(
    'The audit log is not what was written: it was changed, or cut, beside the manager.',
    z.object({ seq: countSchema, fault: z.string() }),
  ),
  'session.proven': row('A person showed once more who they are.', z.object(session)),
  'session.closed': row('A session was ended.', z.object(session)),
  'session.refused': row(
    'A wrong password or code for a user that there is; not told while the user is locked.',
    z.object({ ...user, failed_attempts: countSchema }),
  ),
  'token.created': row('An access token was made.', token),
  'token.revoked': row('An access token was revoked.', token),
  'server.online': row('The server is heard again.', z.object(server)),
  'server.offline': row('The server was not heard for too long.', z.object({ ...server, seen_at: timeSchema })),
};
