import * as z from 'zod/mini';
import { route } from '../route.ts';
import { countSchema, ifMatchHeaders, named, timeSchema } from '../schema.ts';

/** The forms in which a client can be given its config; `html` is a page for people. */
export const clientFormats = ['sing-box', 'clash', 'links', 'base64', 'html'] as const;
export type ClientFormat = (typeof clientFormats)[number];

/** What programs and other panels call the same formats in an address. */
export const formatNames: Readonly<Record<string, ClientFormat>> = {
  'sing-box': 'sing-box',
  singbox: 'sing-box',
  clash: 'clash',
  'clash-meta': 'clash',
  mihomo: 'clash',
  stash: 'clash',
  links: 'links',
  base64: 'base64',
  v2ray: 'base64',
  html: 'html',
};

/** What a rule may answer instead of a format: 403, 404 and 451. */
export const clientRefusals = ['block', 'not-found', 'unavailable'] as const;

/** A header that is not there is an empty text; `exists` means that it is not empty. */
const headerOperators = [
  'equals',
  'not-equals',
  'contains',
  'not-contains',
  'starts-with',
  'not-starts-with',
  'ends-with',
  'not-ends-with',
  'matches',
  'not-matches',
  'exists',
  'not-exists',
] as const;

const headerName = z
  .string()
  .check(z.regex(/^[a-z0-9][a-z0-9-]{0,63}$/, 'must be the name of a header in small letters'));

/** Headers that belong to the connection, to the browser's safety or to sbox. */
const ownedHeaders =
  /^(?:connection|content-(?:length|encoding|security-policy|type)|date|etag|keep-alive|server|set-cookie|strict-transport-security|trailer|transfer-encoding|upgrade|x-request-id|x-content-type-options|x-sbox-.*|access-control-.*|ratelimit.*)$/;

const extraHeadersSchema = z
  .record(
    headerName.check(z.refine((name) => !ownedHeaders.test(name), 'is a header that rules cannot set')),
    z.string().check(z.regex(/^[\x20-\x7e]{0,1024}$/, 'must be printable ASCII, at most 1024 characters')),
  )
  .check(z.refine((headers) => Object.keys(headers).length <= 16, 'must have at most 16 headers'));

const conditionSchema = z.strictObject({
  header: headerName,
  operator: z.enum(headerOperators),
  /** For `matches` an expression of RE2. Nothing for `exists`. */
  value: z._default(z.string().check(z.maxLength(500)), ''),
  case_sensitive: z._default(z.boolean(), false),
});

const ruleSchema = z.strictObject({
  name: z.string().check(z.regex(/^[\w][\w .-]{0,63}$/, 'must be letters, digits, blanks, ., _ and -, at most 64')),
  enabled: z._default(z.boolean(), true),
  /** Whether every condition has to hold, or one. A rule without conditions always matches. */
  match: z._default(z.enum(['all', 'any']), 'all'),
  conditions: z._default(z.array(conditionSchema).check(z.maxLength(16)), []),
  answer: z.enum([...clientFormats, ...clientRefusals]),
  /** Sent with the answer. */
  headers: z._default(extraHeadersSchema, {}),
});

/** A type with a name: written out in the type of every route it would be longer than the compiler allows. */
export interface ClientRule extends z.output<typeof ruleSchema> {}
export interface ClientRuleInput extends z.input<typeof ruleSchema> {}
const clientRuleSchema: z.ZodMiniType<ClientRule, ClientRuleInput> = named(
  'ClientRule',
  'Which requests get which format. Rules are asked in order, and the first that matches decides.',
  ruleSchema,
);

const rulesSchema = z.array(clientRuleSchema).check(
  z.maxLength(100),
  z.refine((rules) => new Set(rules.map(({ name }) => name)).size === rules.length, 'each needs a name of its own'),
);
export const clientRulesSchema = rulesSchema;

const rulesViewSchema = named(
  'ClientRules',
  'The rules that all clients share; those of a client are asked before them.',
  z.object({
    rules: z.array(clientRuleSchema),
    /** Whether they are those that sbox brings along. */
    is_default: z.boolean(),
    revision: countSchema,
    updated_at: z.nullable(timeSchema),
  }),
);

const exampleRules = [
  { name: 'browsers', conditions: [{ header: 'accept', operator: 'contains', value: 'text/html' }], answer: 'html' },
  { name: 'mihomo', conditions: [{ header: 'user-agent', operator: 'matches', value: '^mihomo' }], answer: 'clash' },
] as const;

export const clientRules = {
  get: route({
    id: 'getClientRules',
    method: 'get',
    path: '/api/v1/client-rules',
    summary: 'Which program gets which format, in order',
    permission: 'clients:read',
    ok: { status: 200, schema: rulesViewSchema },
    problems: [],
    example: {},
  }),
  replace: route({
    id: 'replaceClientRules',
    method: 'put',
    path: '/api/v1/client-rules',
    summary: 'Set the rules that all clients share; an empty list brings back those of sbox',
    permission: 'clients:write',
    headers: ifMatchHeaders,
    body: z.strictObject({ rules: rulesSchema }),
    ok: { status: 200, schema: rulesViewSchema },
    problems: ['request.invalid', 'precondition.required', 'precondition.failed'],
    example: { headers: { 'if-match': '*' }, body: { rules: exampleRules } },
  }),
};
