import * as z from 'zod/mini';
import { projectQuery, projectSchema } from '../bounds.ts';
import { route } from '../route.ts';
import {
  countSchema,
  durationSchema,
  flagSchema,
  idParams,
  idSchema,
  idempotencyHeaders,
  ifMatchHeaders,
  integerSchema,
  nameSchema,
  named,
  page,
  pageQuery,
  revealQuery,
  timeSchema,
  versionParams,
} from '../schema.ts';

/** Where the text comes from: an address that is fetched on a schedule, or text that was handed in. */
const sourceSchema = named(
  'SubscriptionSource',
  'A URL that is fetched on a schedule, or inline text. The URL is a secret: `***` after the host without reveal.',
  z.discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('url'),
      url: z.string().check(z.regex(/^https?:\/\//), z.maxLength(4096)),
      user_agent: z.optional(z.string().check(z.maxLength(256))),
      headers: z.optional(z.record(z.string(), z.string().check(z.maxLength(4096)))),
    }),
    z.strictObject({ type: z.literal('inline'), text: z.string().check(z.maxLength(16 * 1024 * 1024)) }),
  ]),
);

const settings = {
  name: nameSchema,
  project: projectSchema,
  source: sourceSchema,
  /** How often a URL is fetched; ±10 % jitter. `0` never. */
  refresh_every: z._default(durationSchema, '1h'),
  /** Fewer nodes than this share of the last good version are set aside (quarantine). 0 turns it off. */
  min_share: z._default(z.number().check(z.minimum(0), z.maximum(1)), 0.5),
};

export const subscriptionWriteSchema = named(
  'SubscriptionWrite',
  'What people set about a subscription.',
  z.strictObject(settings),
);

const subscriptionPatchSchema = named(
  'SubscriptionPatch',
  'A merge patch (RFC 7396) of what people set about a subscription.',
  z.partial(
    z.strictObject({
      ...settings,
      project: nameSchema,
      refresh_every: durationSchema,
      min_share: z.number().check(z.minimum(0), z.maximum(1)),
    }),
  ),
);

const subscriptionSchema = named(
  'Subscription',
  'A source of nodes. `version` is the newest good snapshot, `pinned_version` the one that configs use instead.',
  z.object({
    id: idSchema,
    name: nameSchema,
    project: nameSchema,
    source: sourceSchema,
    refresh_every: durationSchema,
    min_share: z.number(),
    revision: countSchema,
    version: z.nullable(countSchema),
    pinned_version: z.nullable(countSchema),
    nodes: countSchema,
    rejected: countSchema,
    last_fetch: z.nullable(
      z.object({ at: timeSchema, outcome: z.string(), code: z.nullable(z.string()), detail: z.nullable(z.string()) }),
    ),
    next_fetch_at: z.nullable(timeSchema),
    /** From the provider: traffic and end of the plan, where it tells. */
    usage: z.nullable(
      z.object({
        upload: z.nullable(z.number()),
        download: z.nullable(z.number()),
        total: z.nullable(z.number()),
        expire_at: z.nullable(timeSchema),
      }),
    ),
    /** From the provider too: what it calls itself, and where it wants to be asked. Texts of a stranger, for people. */
    about: z.object({
      title: z.optional(z.string()),
      plan_name: z.optional(z.string()),
      file_name: z.optional(z.string()),
      update_interval_hours: z.optional(z.number()),
      web_page_url: z.optional(z.string()),
      support_url: z.optional(z.string()),
      announce: z.optional(z.string()),
      announce_url: z.optional(z.string()),
      moved_to: z.optional(z.string()),
    }),
    created_at: timeSchema,
    updated_at: timeSchema,
  }),
);

const nodeSchema = named(
  'Node',
  'One proxy endpoint in sing-box field names; credentials are `***` without reveal.',
  z.looseObject({ id: z.string(), tag: z.string(), type: z.string(), server: z.string(), server_port: z.int() }),
);

const rejectedSchema = named(
  'Rejected',
  'A line or entry of the source that gave no node, and why.',
  z.object({ line: z.int(), code: z.string(), reason: z.string(), text: z.optional(z.string()) }),
);

const fetchSchema = named(
  'Fetch',
  'One try to fetch a subscription. `outcome`: changed, unchanged, not-modified, failed, quarantined.',
  z.object({
    id: idSchema,
    at: timeSchema,
    outcome: z.string(),
    version: z.nullable(countSchema),
    status: z.nullable(z.int()),
    bytes: countSchema,
    duration_ms: countSchema,
    code: z.nullable(z.string()),
    detail: z.nullable(z.string()),
  }),
);

const subscriptionVersionSchema = named(
  'SubscriptionVersion',
  'An immutable snapshot of what a subscription gave.',
  z.object({
    version: countSchema,
    digest: z.string(),
    format: z.string(),
    nodes: countSchema,
    rejected: countSchema,
    created_at: timeSchema,
  }),
);

const subscriptionDiffSchema = named(
  'SubscriptionDiff',
  'How the nodes of two snapshots differ, by node id.',
  z.object({
    from: countSchema,
    to: countSchema,
    added: z.array(nodeSchema),
    removed: z.array(nodeSchema),
    renamed: z.array(z.object({ id: z.string(), from: z.string(), to: z.string() })),
    unchanged: countSchema,
  }),
);

const previewSchema = named(
  'Preview',
  'What a source would give now; nothing is stored.',
  z.object({ format: z.string(), nodes: z.array(nodeSchema), rejected: z.array(rejectedSchema) }),
);

const exampleBody = {
  name: 'example',
  source: { type: 'inline' as const, text: 'trojan://example-password@192.0.2.1:443?sni=example.test#Example' },
};
const writes = 'subscriptions:write' as const;
const reads = 'subscriptions:read' as const;
const notFound = 'subscription.not-found' as const;
const changeProblems = [
  'request.invalid',
  notFound,
  'subscription.exists',
  'project.mismatch',
  'precondition.required',
  'precondition.failed',
] as const;
const contentProblems = [
  'subscription.html',
  'subscription.empty',
  'subscription.unknown-format',
  'subscription.no-nodes',
  'subscription.too-large',
  'subscription.too-many-nodes',
  'subscription.too-deep',
  'subscription.too-many-aliases',
  'subscription.compressed',
  'fetch.blocked',
  'fetch.failed',
  'fetch.status',
  'fetch.timeout',
  'fetch.too-large',
  'fetch.inflated-too-large',
  'fetch.redirects',
] as const;

export const subscriptions = {
  list: route({
    id: 'listSubscriptions',
    method: 'get',
    path: '/api/v1/subscriptions',
    summary: 'List subscriptions',
    permission: reads,
    query: projectQuery,
    ok: { status: 200, schema: page(subscriptionSchema) },
    problems: ['request.invalid'],
    example: {},
  }),
  add: route({
    id: 'addSubscription',
    method: 'post',
    path: '/api/v1/subscriptions',
    summary: 'Add a subscription and fetch it once; a failed first fetch does not undo the adding',
    permission: writes,
    headers: idempotencyHeaders,
    body: subscriptionWriteSchema,
    ok: { status: 201, schema: subscriptionSchema },
    problems: ['request.invalid', 'subscription.exists', 'request.idempotency-mismatch'],
    example: { body: exampleBody },
  }),
  preview: route({
    id: 'previewSubscription',
    method: 'post',
    path: '/api/v1/subscriptions/preview',
    summary: 'Fetch and parse a source without storing anything',
    permission: writes,
    body: z.strictObject({ source: sourceSchema }),
    ok: { status: 200, schema: previewSchema },
    problems: ['request.invalid', ...contentProblems],
    example: { body: { source: exampleBody.source } },
  }),
  get: route({
    id: 'getSubscription',
    method: 'get',
    path: '/api/v1/subscriptions/{id}',
    summary: 'One subscription',
    permission: reads,
    params: idParams,
    query: revealQuery,
    ok: { status: 200, schema: subscriptionSchema },
    problems: [notFound],
    example: { params: { id: 'example' } },
  }),
  replace: route({
    id: 'replaceSubscription',
    method: 'put',
    path: '/api/v1/subscriptions/{id}',
    summary: 'Replace what people set about a subscription',
    permission: writes,
    params: idParams,
    headers: ifMatchHeaders,
    body: subscriptionWriteSchema,
    ok: { status: 200, schema: subscriptionSchema },
    problems: changeProblems,
    example: { params: { id: 'example' }, headers: { 'if-match': '*' }, body: exampleBody },
  }),
  update: route({
    id: 'updateSubscription',
    method: 'patch',
    path: '/api/v1/subscriptions/{id}',
    summary: 'Change some of what people set about a subscription',
    permission: writes,
    params: idParams,
    headers: ifMatchHeaders,
    body: subscriptionPatchSchema,
    ok: { status: 200, schema: subscriptionSchema },
    problems: changeProblems,
    example: { params: { id: 'example' }, headers: { 'if-match': '*' }, body: { refresh_every: '2h' } },
  }),
  remove: route({
    id: 'deleteSubscription',
    method: 'delete',
    path: '/api/v1/subscriptions/{id}',
    summary: 'Delete a subscription that no config uses',
    permission: writes,
    params: idParams,
    headers: ifMatchHeaders,
    ok: { status: 204 },
    problems: [notFound, 'subscription.in-use', 'precondition.required', 'precondition.failed'],
    example: { params: { id: 'example' }, headers: { 'if-match': '*' } },
  }),
  refresh: route({
    id: 'refreshSubscription',
    method: 'post',
    path: '/api/v1/subscriptions/{id}/refresh',
    summary: 'Fetch now; `accept` takes content that would be quarantined',
    permission: writes,
    params: idParams,
    query: z.strictObject({ accept: flagSchema }),
    ok: { status: 200, schema: fetchSchema },
    problems: [notFound],
    example: { params: { id: 'example' } },
  }),
  nodes: route({
    id: 'listNodes',
    method: 'get',
    path: '/api/v1/subscriptions/{id}/nodes',
    summary: 'Nodes of the version in use, and what was rejected',
    permission: reads,
    params: idParams,
    query: revealQuery,
    ok: {
      status: 200,
      schema: z.object({ version: countSchema, items: z.array(nodeSchema), rejected: z.array(rejectedSchema) }),
    },
    problems: [notFound, 'subscription.version-not-found'],
    example: { params: { id: 'example' } },
  }),
  fetches: route({
    id: 'listFetches',
    method: 'get',
    path: '/api/v1/subscriptions/{id}/fetches',
    summary: 'Recent fetches, newest first',
    permission: reads,
    params: idParams,
    query: pageQuery,
    ok: { status: 200, schema: page(fetchSchema) },
    problems: [notFound, 'request.invalid'],
    example: { params: { id: 'example' } },
  }),
  versions: route({
    id: 'listSubscriptionVersions',
    method: 'get',
    path: '/api/v1/subscriptions/{id}/versions',
    summary: 'Snapshots, newest first',
    permission: reads,
    params: idParams,
    query: pageQuery,
    ok: { status: 200, schema: page(subscriptionVersionSchema) },
    problems: [notFound, 'request.invalid'],
    example: { params: { id: 'example' } },
  }),
  diff: route({
    id: 'diffSubscriptionVersion',
    method: 'get',
    path: '/api/v1/subscriptions/{id}/versions/{version}/diff',
    summary: 'What changed in a snapshot, against the one before or against another',
    permission: reads,
    params: versionParams,
    query: z.strictObject({ against: z.optional(integerSchema(0)) }),
    ok: { status: 200, schema: subscriptionDiffSchema },
    problems: [notFound, 'subscription.version-not-found', 'request.invalid'],
    example: { params: { id: 'example', version: '1' } },
  }),
  pin: route({
    id: 'pinSubscription',
    method: 'post',
    path: '/api/v1/subscriptions/{id}/rollback',
    summary: 'Use an older snapshot from now on; `version: null` follows the newest again',
    permission: writes,
    params: idParams,
    body: z.strictObject({ version: z.nullable(z.int().check(z.minimum(1))) }),
    ok: { status: 200, schema: subscriptionSchema },
    problems: [notFound, 'subscription.version-not-found', 'request.invalid'],
    example: { params: { id: 'example' }, body: { version: 1 } },
  }),
};
