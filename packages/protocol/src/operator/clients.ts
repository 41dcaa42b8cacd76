import * as z from 'zod/mini';
import { route } from '../route.ts';
import {
  countSchema,
  idParams,
  idSchema,
  idempotencyHeaders,
  ifMatchHeaders,
  named,
  nameSchema,
  page,
  pageQuery,
  revealQuery,
  timeSchema,
} from '../schema.ts';
import { clientFormats, clientRulesSchema, formatNames } from './client-rules.ts';

/** An address that goes into a header: ASCII, and of a kind that opens a page, a chat or a letter. */
const linkSchema = z
  .string()
  .check(z.regex(/^(?:https?:\/\/|tg:\/\/|mailto:)[\x21-\x7e]{1,1000}$/, 'must be an address as https://example.com'));
const bytesSchema = z.int().check(z.minimum(0));
const line = (most: number) =>
  z.string().check(z.maxLength(most), z.regex(/^[ -~\u00a0-\uffff]*$/, 'must be one line without control characters'));
const hwidModes = ['off', 'optional', 'required'] as const;
/** What programs name themselves with. */
export const hwidPattern = /^[\x21-\x7e]{1,128}$/;

const hwidSchema = z.strictObject({
  /** Whether devices are told apart: not at all, those that name themselves, or only those are served. */
  mode: z._default(z.enum(hwidModes), 'off'),
  /** How many devices there may be. */
  limit: z._default(z.int().check(z.minimum(1), z.maximum(1000)), 5),
});
const usageSchema = z.strictObject({
  upload: z._default(bytesSchema, 0),
  download: z._default(bytesSchema, 0),
  /** 0 is without limit. */
  total: z._default(bytesSchema, 0),
});

/** What people write down about a client, without defaults. */
const parts = {
  name: nameSchema,
  /** Name or id. */
  config: idSchema,
  /** What the program of the client shows; the name without one. */
  title: line(128),
  note: z.string().check(z.maxLength(1000)),
  enabled: z.boolean(),
  expires_at: z.nullable(timeSchema),
  hwid: hwidSchema,
  update_interval_hours: z.int().check(z.minimum(1), z.maximum(8760)),
  /** Bytes, as programs show them; sbox does not count. Null: nothing is said. */
  usage: z.nullable(usageSchema),
  support_url: z.nullable(linkSchema),
  web_page_url: z.nullable(linkSchema),
  announce: line(200),
  /** What programs get that no rule knows. */
  format: z.enum(clientFormats),
  /** Asked before the rules that all clients share. */
  rules: clientRulesSchema,
};

export const clientWriteSchema = named(
  'ClientWrite',
  'Who takes a config.',
  z.strictObject({
    name: parts.name,
    config: parts.config,
    title: z._default(parts.title, ''),
    note: z._default(parts.note, ''),
    enabled: z._default(parts.enabled, true),
    expires_at: z._default(parts.expires_at, null),
    hwid: z.prefault(parts.hwid, {}),
    update_interval_hours: z._default(parts.update_interval_hours, 12),
    usage: z._default(parts.usage, null),
    support_url: z._default(parts.support_url, null),
    web_page_url: z._default(parts.web_page_url, null),
    announce: z._default(parts.announce, ''),
    format: z._default(parts.format, 'base64'),
    rules: z._default(parts.rules, []),
  }),
);

const clientPatchSchema = named(
  'ClientPatch',
  'A merge patch of a client: each part that is there replaces the one that was.',
  z.partial(z.strictObject(parts)),
);

const clientSchema = named(
  'Client',
  'Who takes a config at /sub: a person with their devices, or a program.',
  z.object({
    id: idSchema,
    ...parts,
    config: z.object({ id: idSchema, name: nameSchema }),
    /** Where the config is had. A secret: null unless it is revealed. */
    link: z.nullable(z.string()),
    devices: countSchema,
    last_fetch: z.nullable(z.object({ at: timeSchema, user_agent: z.string(), outcome: z.string() })),
    revision: countSchema,
    created_at: timeSchema,
    updated_at: timeSchema,
  }),
);

const deviceSchema = named(
  'ClientDevice',
  'A device as its program described it.',
  z.object({
    hwid: z.string(),
    os: z.string(),
    os_version: z.string(),
    model: z.string(),
    user_agent: z.string(),
    first_seen_at: timeSchema,
    seen_at: timeSchema,
  }),
);

const clientFetchSchema = named(
  'ClientFetch',
  'One request for the config of a client, and what it was answered. The newest 50 of each client are kept.',
  z.object({
    at: timeSchema,
    user_agent: z.string(),
    hwid: z.nullable(z.string()),
    /** Null when it was refused. */
    format: z.nullable(z.enum(clientFormats)),
    rule: z.string(),
    /** `served`, `not-modified`, or why not: `expired`, `disabled`, `blocked`, `no-hwid`, `too-many-devices`, … */
    outcome: z.string(),
    version: z.nullable(countSchema),
    left_out: countSchema,
  }),
);

const explainedSchema = named(
  'ClientExplanation',
  'What a request with these headers would be answered, and why. Nothing is recorded.',
  z.object({
    /** The one that decides the format: the name of a rule, or `(query)`, `(path)`, `(default)`. */
    rule: z.string(),
    /** The format, or the refusal of the rule. */
    answer: z.string(),
    outcome: z.string(),
    status: z.int(),
    /** For `sing-box`: the version that it is written for. */
    engine_version: z.nullable(z.string()),
    /** Rules in the order in which they were asked, up to the one that matched. */
    steps: z.array(
      z.object({ rule: z.string(), of: z.enum(['client', 'all']), matched: z.boolean(), reason: z.string() }),
    ),
  }),
);

const reads = 'clients:read' as const;
const writes = 'clients:write' as const;
const notFound = 'client.not-found' as const;
const formatSchema = z.enum(Object.keys(formatNames) as [string, ...string[]]);
const example = {
  name: 'example',
  config: 'example',
  title: 'Example',
  expires_at: '2036-01-01T00:00:00.000Z',
  hwid: { mode: 'optional', limit: 3 },
  usage: { upload: 0, download: 1_073_741_824, total: 107_374_182_400 },
  support_url: 'https://support.example.com',
} as const;

export const clients = {
  list: route({
    id: 'listClients',
    method: 'get',
    path: '/api/v1/clients',
    summary: 'List clients, by name',
    permission: reads,
    query: pageQuery,
    ok: { status: 200, schema: page(clientSchema) },
    problems: ['request.invalid'],
    example: {},
  }),
  create: route({
    id: 'createClient',
    method: 'post',
    path: '/api/v1/clients',
    summary: 'Make a client; who may see secrets gets its link in the answer',
    permission: writes,
    headers: idempotencyHeaders,
    body: clientWriteSchema,
    ok: { status: 201, schema: clientSchema },
    problems: ['request.invalid', 'client.exists', 'config.not-found', 'request.idempotency-mismatch'],
    example: { body: example },
  }),
  get: route({
    id: 'getClient',
    method: 'get',
    path: '/api/v1/clients/{id}',
    summary: 'One client; its link with `reveal`',
    permission: reads,
    params: idParams,
    query: revealQuery,
    ok: { status: 200, schema: clientSchema },
    problems: [notFound, 'client.link-lost', 'auth.forbidden'],
    example: { params: { id: 'example' }, query: { reveal: 'true' } },
  }),
  update: route({
    id: 'updateClient',
    method: 'patch',
    path: '/api/v1/clients/{id}',
    summary: 'Change some of a client',
    permission: writes,
    params: idParams,
    headers: ifMatchHeaders,
    body: clientPatchSchema,
    ok: { status: 200, schema: clientSchema },
    problems: [
      notFound,
      'request.invalid',
      'client.exists',
      'config.not-found',
      'precondition.required',
      'precondition.failed',
    ],
    example: { params: { id: 'example' }, headers: { 'if-match': '*' }, body: { note: 'two phones and a tablet' } },
  }),
  remove: route({
    id: 'deleteClient',
    method: 'delete',
    path: '/api/v1/clients/{id}',
    summary: 'Delete a client; its link is no longer good',
    permission: writes,
    params: idParams,
    headers: ifMatchHeaders,
    ok: { status: 204 },
    problems: [notFound, 'precondition.required', 'precondition.failed'],
    example: { params: { id: 'example' }, headers: { 'if-match': '*' } },
  }),
  rotate: route({
    id: 'rotateClient',
    method: 'post',
    path: '/api/v1/clients/{id}/rotate',
    summary: 'Give a client a new link; the one before is no longer good',
    permission: writes,
    params: idParams,
    headers: idempotencyHeaders,
    ok: { status: 200, schema: clientSchema },
    problems: [notFound, 'request.idempotency-mismatch'],
    example: { params: { id: 'example' } },
  }),
  devices: route({
    id: 'listClientDevices',
    method: 'get',
    path: '/api/v1/clients/{id}/devices',
    summary: 'Devices of a client, the first that came first',
    permission: reads,
    params: idParams,
    ok: { status: 200, schema: z.object({ items: z.array(deviceSchema) }) },
    problems: [notFound],
    example: { params: { id: 'example' } },
  }),
  removeDevice: route({
    id: 'deleteClientDevice',
    method: 'delete',
    path: '/api/v1/clients/{id}/devices/{hwid}',
    summary: 'Forget a device; it may come again while there is room',
    permission: writes,
    params: z.object({ id: idSchema, hwid: z.string().check(z.regex(hwidPattern)) }),
    ok: { status: 204 },
    problems: [notFound, 'client.device-not-found'],
    example: { params: { id: 'example', hwid: 'example-device' } },
  }),
  fetches: route({
    id: 'listClientFetches',
    method: 'get',
    path: '/api/v1/clients/{id}/fetches',
    summary: 'The last requests for the config of a client, newest first',
    permission: reads,
    params: idParams,
    ok: { status: 200, schema: z.object({ items: z.array(clientFetchSchema) }) },
    problems: [notFound],
    example: { params: { id: 'example' } },
  }),
  explain: route({
    id: 'explainClient',
    method: 'post',
    path: '/api/v1/clients/{id}/explain',
    summary: 'Which rule a request with these headers would match',
    permission: reads,
    params: idParams,
    body: z.strictObject({
      headers: z
        .record(z.string().check(z.regex(/^[\w-]{1,64}$/)), z.string().check(z.maxLength(4096)))
        .check(z.refine((headers) => Object.keys(headers).length <= 64, 'must have at most 64 headers')),
      /** As `?format=`. */
      query: z.optional(formatSchema),
      /** As the end of the path. */
      path: z.optional(formatSchema),
    }),
    ok: { status: 200, schema: explainedSchema },
    problems: [notFound],
    example: { params: { id: 'example' }, body: { headers: { 'user-agent': 'SFA/1.14.4' } } },
  }),
};

/** Long enough for every link of ours; what else stands there was not ours either. */
const tokenSchema = z.string().check(z.maxLength(128));
const subQuery = z.object({ format: z.optional(formatSchema) });
const subProblems = ['sub.not-found', 'sub.blocked', 'sub.unavailable', 'sub.unsupported', 'request.invalid'] as const;

/** What the programs of clients ask. The answers are of several media types; `text/plain` is that of `base64`. */
export const sub = {
  get: route({
    id: 'getSub',
    method: 'get',
    path: '/sub/{token}',
    summary: 'The config of a client, in the format that fits its program; `?format=` chooses another',
    permission: 'public',
    params: z.object({ token: tokenSchema }),
    query: subQuery,
    ok: { status: 200, bytes: 'text/plain; charset=utf-8' },
    problems: subProblems,
    example: { params: { token: '{client-token}' }, headers: { 'x-hwid': 'example-device' } },
  }),
  getAs: route({
    id: 'getSubAs',
    method: 'get',
    path: '/sub/{token}/{format}',
    summary: 'The config of a client in this format',
    permission: 'public',
    params: z.object({ token: tokenSchema, format: formatSchema }),
    query: subQuery,
    ok: { status: 200, bytes: 'text/plain; charset=utf-8' },
    problems: subProblems,
    example: { params: { token: '{client-token}', format: 'links' } },
  }),
};
