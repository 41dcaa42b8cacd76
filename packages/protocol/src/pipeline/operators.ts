import * as z from 'zod/mini';
import { durationSchema, named } from '../schema.ts';
import { countrySchema, field, nodeQuerySchema, oneOrMore, patternSchema, words } from './query.ts';

const match = field('Only these nodes; all when it is not set.', nodeQuerySchema);
const text = z.string().check(z.maxLength(256));
const positive = z.int().check(z.minimum(1), z.maximum(1_000_000));
const seed = field(
  'Another seed gives another choice; the same seed always the same.',
  z.string().check(z.maxLength(64)),
);
const perWords = ['country', 'subscription', 'protocol'] as const;
/** A field that must be there. */
const required = <S extends z.ZodMiniType>(description: string, schema: S): S =>
  schema.check(z.describe(description) as never);
const tagSchema = z.string().check(z.minLength(1), z.maxLength(128));

/** An operator has its name, may be switched off, and may say why it is there. */
const operator = <const Name extends string, Shape extends z.core.$ZodLooseShape>(name: Name, shape: Shape) =>
  z.strictObject({
    operator: z.literal(name),
    ...shape,
    enabled: field('`false` switches the operator off. Default: true.', z.boolean()),
    note: field('Words for people; nothing reads them.', text),
  });

export const filterOperator = operator('filter', {
  keep: field('Nodes that stay; all when it is not set.', nodeQuerySchema),
  drop: field('Nodes that go, of those that stay.', nodeQuerySchema),
});

/** Ready sets of nodes that nobody wants. */
export const excludePresets = ['notices', 'malformed', 'useless'] as const;

export const excludeOperator = operator('exclude', {
  ids: field('Ids of nodes.', z.array(words).check(z.maxLength(10_000))),
  names: field('Exact names.', z.array(words).check(z.maxLength(10_000))),
  hosts: field('Hosts, `*.example.com`, addresses and networks.', z.array(words).check(z.maxLength(10_000))),
  patterns: field(
    'Regular expressions that are looked for in the name.',
    z.array(patternSchema).check(z.maxLength(200)),
  ),
  preset: field(
    '`notices`: names that tell of traffic, expiry and addresses; `malformed`: a cipher, password or host with other ' +
      'than ASCII characters; `useless`: both.',
    z.enum(excludePresets),
  ),
});

export const renameOperator = operator('rename', {
  match,
  delete: field('Regular expressions whose every find is cut out.', oneOrMore(patternSchema)),
  replace: field(
    'Regular expressions and what stands in place of every find: `$1` is the first group, `$$` a dollar.',
    z.array(z.strictObject({ pattern: patternSchema, with: text })).check(z.minLength(1), z.maxLength(200)),
  ),
  template: field(
    'The whole new name, with `{name}`, `{flag}`, `{country}`, `{country_name}`, `{protocol}`, `{transport}`, ' +
      '`{security}`, `{host}`, `{port}`, `{subscription}`, `{label}`, `{id}`, `{index}` (from 1) and `{country_index}` ' +
      '(from 1 in each country); `{index:2}` has two digits at least.',
    z.string().check(z.minLength(1), z.maxLength(500)),
  ),
  prefix: field('Stands before the name; may hold the same variables.', text),
  suffix: field('Stands behind the name; may hold the same variables.', text),
  normalise: field(
    'Runs of spaces and separators become one, ends are trimmed, full-width letters become plain.',
    z.boolean(),
  ),
});

export const dedupeOperator = operator('dedupe', {
  by: field(
    'What makes two nodes the same. `id`: the same server and secrets; `endpoint`: the same protocol, host and port; ' +
      '`host`: the same host; `name`: the same name. Default: id.',
    z.enum(['id', 'endpoint', 'host', 'name']),
  ),
  action: field('`drop` keeps the first; `rename` numbers the others. Default: drop.', z.enum(['drop', 'rename'])),
  digits: field('Ten characters or words that write the number, separated by spaces: `⁰ ¹ ² ³ ⁴ ⁵ ⁶ ⁷ ⁸ ⁹`.', text),
  link: field('Stands between name and number. Default: a space.', text),
  position: field('Where the number stands. Default: back.', z.enum(['back', 'front'])),
});

export const sortKeys = ['name', 'country', 'protocol', 'port', 'subscription', 'host', 'random', 'original'] as const;

export const sortOperator = operator('sort', {
  first: field(
    'Nodes of the first query come first, then those of the second, and so on; the rest follows.',
    z.array(nodeQuerySchema).check(z.minLength(1), z.maxLength(200)),
  ),
  by: field(
    `What they are sorted by: ${sortKeys.join(', ')}; of a list the later ones decide between equals. Numbers in names ` +
      'count as numbers. Default: original.',
    oneOrMore(z.enum(sortKeys)),
  ),
  order: field('`asc` or `desc`. Default: asc.', z.enum(['asc', 'desc'])),
  seed,
});

export const countryOperator = operator('country', {
  match,
  flag: field(
    '`add` puts the flag of the country in front, `replace` does so for any flag that was there, `remove` takes flags ' +
      'away, `keep` leaves the name. Default: keep.',
    z.enum(['keep', 'add', 'replace', 'remove']),
  ),
  taiwan: field('The flag that stands for Taiwan. Default: tw.', z.enum(['tw', 'ws', 'cn'])),
  set: field('The country, for nodes whose names say none or the wrong one; `none` forgets it.', countrySchema),
  label: field('Gives the country as a label, as `country:DE`.', z.boolean()),
});

export const setOperator = operator('set', {
  match,
  insecure: field('Whether the certificate of the server is not checked.', z.boolean()),
  fingerprint: field(
    'The browser whose TLS greeting is imitated (uTLS), or false for none.',
    z.union([words, z.literal(false)]),
  ),
  alpn: field(
    'Application protocols of TLS, or false for none.',
    z.union([z.array(words).check(z.minLength(1), z.maxLength(8)), z.literal(false)]),
  ),
  server_name: field('The name that TLS asks for.', words),
  tls_min_version: field('The lowest version of TLS.', z.enum(['1.0', '1.1', '1.2', '1.3'])),
  tls_fragment: field('Cuts the TLS greeting into pieces.', z.boolean()),
  udp: field('Whether the node carries UDP.', z.boolean()),
  udp_over_tcp: field('UDP inside the TCP connection (shadowsocks, socks).', z.boolean()),
  tcp_fast_open: field('TCP Fast Open.', z.boolean()),
  tcp_multi_path: field('Multipath TCP.', z.boolean()),
  connect_timeout: field('How long a connection may take to open.', durationSchema),
  multiplex: field(
    'Many connections inside one, or false for none.',
    z.union([
      z.literal(false),
      z.strictObject({
        protocol: field('Default: the engine’s.', z.enum(['smux', 'yamux', 'h2mux'])),
        max_connections: z.optional(positive),
        min_streams: z.optional(positive),
        max_streams: z.optional(positive),
        padding: z.optional(z.boolean()),
      }),
    ]),
  ),
  early_data: field(
    'Bytes that WebSocket sends with its first request, or false for none; `early_data_header` names the header.',
    z.union([z.literal(false), positive]),
  ),
  early_data_header: field('Default: Sec-WebSocket-Protocol.', words),
  packet_encoding: field(
    'How vmess and vless carry UDP, or false for none.',
    z.union([z.enum(['xudp', 'packetaddr']), z.literal(false)]),
  ),
  vmess_aead: field('`true` sets the alter id of vmess to 0.', z.literal(true)),
  up_mbps: field('Own upload speed that hysteria is told.', positive),
  down_mbps: field('Own download speed that hysteria is told.', positive),
});

export const resolveOperator = operator('resolve', {
  match,
  family: field('Which addresses are taken; `any` prefers IPv4. Default: any.', z.enum(['any', 'ipv4', 'ipv6'])),
  on_failure: field('What becomes of a node whose host has no such address. Default: keep.', z.enum(['keep', 'drop'])),
  ip_only: field('Drops every node that has no address of the family in the end. Default: false.', z.boolean()),
});

export const limitOperator = operator('limit', {
  match,
  count: required('How many stay.', positive),
  per: field('So many of each instead of all.', z.enum(perWords)),
});

export const sampleOperator = operator('sample', {
  match,
  count: required('How many stay.', positive),
  per: field('So many of each instead of all.', z.enum(perWords)),
  seed,
});

export const tagOperator = operator('tag', {
  match,
  labels: field('Labels to give.', z.array(words).check(z.minLength(1), z.maxLength(32))),
  from: field('Gives labels as `country:DE`, `protocol:vless`, `subscription:main`.', oneOrMore(z.enum(perWords))),
  remove: field('Labels to take away.', z.array(words).check(z.minLength(1), z.maxLength(32))),
});

export const groupTypes = ['selector', 'urltest', 'fallback', 'load-balance'] as const;
export const emptyAnswers = ['direct', 'block', 'omit', 'fail'] as const;

export const groupOperator = operator('group', {
  tag: required('The name of the group.', tagSchema),
  type: required('How it chooses.', z.enum(groupTypes)),
  match: field(
    'The members, among the nodes that are left at the end: `{}` for all; no nodes when it is not set.',
    nodeQuerySchema,
  ),
  groups: field(
    'Other groups as members, before the nodes; `direct` and `block` are the engine’s own. The tag of a group with ' +
      '`each`, as it is written, stands for all that were made of it.',
    z.array(tagSchema).check(z.maxLength(256)),
  ),
  each: field(
    'Makes one group for each country, subscription or protocol; `tag` then holds `{value}`, `{flag}` or `{name}`.',
    z.enum(perWords),
  ),
  default: field('selector: what is chosen at first; the first of the members when nothing matches.', nodeQuerySchema),
  url: field('What urltest fetches through each member.', z.string().check(z.regex(/^https?:\/\//), z.maxLength(2048))),
  interval: field('How often.', durationSchema),
  tolerance: field(
    'Milliseconds that another member must be faster to be chosen.',
    z.int().check(z.minimum(0), z.maximum(65_535)),
  ),
  empty: field(
    'What stands in the group when no member is left: `direct`, `block`, nothing (`omit`: the group goes too), or the ' +
      'config is not made (`fail`). Default: omit.',
    z.enum(emptyAnswers),
  ),
});

export const chainOperator = operator('chain', {
  match: required('The nodes that are reached through another one.', nodeQuerySchema),
  through: required('The nodes they may dial through.', nodeQuerySchema),
  pick: field(
    '`first`: all through the first that matches; `spread`: each through the one that its id picks, which stays the ' +
      'same while that one is there. Default: first.',
    z.enum(['first', 'spread']),
  ),
  missing: field(
    'What becomes of the nodes when there is none to dial through: `drop`, or `direct` without it. Default: drop.',
    z.enum(['drop', 'direct']),
  ),
});

export const operatorSchema = named(
  'Operator',
  'One step of a pipeline.',
  z.discriminatedUnion('operator', [
    filterOperator,
    excludeOperator,
    renameOperator,
    dedupeOperator,
    sortOperator,
    countryOperator,
    setOperator,
    resolveOperator,
    limitOperator,
    sampleOperator,
    tagOperator,
    groupOperator,
    chainOperator,
  ]),
);

export const pipelineSchema = named(
  'Pipeline',
  'What is done with the nodes of the subscriptions, step by step.',
  z.array(operatorSchema).check(z.maxLength(100)),
);

export type Operator = z.output<typeof operatorSchema>;
export type OperatorName = Operator['operator'];
export type OperatorOf<Name extends OperatorName> = Extract<Operator, { readonly operator: Name }>;
export type Pipeline = readonly Operator[];
