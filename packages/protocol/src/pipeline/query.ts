import * as z from 'zod/mini';
import { named } from '../schema.ts';

const maxPatternLength = 1000;
const maxListItems = 10_000;

/** An optional field with the sentence that docs and API pages show for it. */
export const field = <S extends z.ZodMiniType>(description: string, schema: S) =>
  z.optional(schema.check(z.describe(description) as never));

export const words = z.string().check(z.minLength(1), z.maxLength(256));
/** One value or a list; any of the list is enough. */
export const oneOrMore = <S extends z.ZodMiniType>(item: S) =>
  z.union([item, z.array(item).check(z.minLength(1), z.maxLength(maxListItems))]);

/** RE2 syntax; whether it compiles is checked where the pipeline is saved. */
export const patternSchema = z.string().check(z.minLength(1), z.maxLength(maxPatternLength));
export const countrySchema = z
  .string()
  .check(z.regex(/^(?:[A-Za-z]{2}|none)$/, 'must be a country code of two letters, or none'));
const portSchema = z.union([
  z.int().check(z.minimum(1), z.maximum(65535)),
  z.string().check(z.regex(/^\d{1,5}(?:-\d{1,5})?$/, 'must be a port or a range as 8000-8999')),
]);

/** How the bytes of a node travel; `tcp` when nothing else is set. */
export const transportWords = ['tcp', 'ws', 'http', 'grpc', 'httpupgrade', 'quic', 'xhttp', 'mkcp'] as const;
/** What protects the connection to the server: REALITY is its own answer, not `tls`. */
export const securityWords = ['none', 'tls', 'reality'] as const;

const conditions = {
  id: field('Ids of nodes.', oneOrMore(words)),
  protocol: field('`vless`, `trojan`, `hysteria2` and so on; `ss`, `ssr`, `hy2` and `wg` work too.', oneOrMore(words)),
  country: field('Two letters, as `DE`; `none` for nodes without a known country.', oneOrMore(countrySchema)),
  name: field(
    'Regular expressions (RE2) that are looked for in the name; `(?i)` in front ignores case.',
    oneOrMore(patternSchema),
  ),
  names: field('Exact names.', oneOrMore(words)),
  label: field('Labels that the operator `tag` gave.', oneOrMore(words)),
  subscription: field('Names of subscriptions.', oneOrMore(words)),
  host: field(
    'Servers: a host, `*.example.com` for all below a domain, an address, or a network as `10.0.0.0/8`.',
    oneOrMore(words),
  ),
  port: field('Ports and ranges, as `443` or `8000-8999`.', oneOrMore(portSchema)),
  transport: field('How the bytes travel; `tcp` when nothing else is set.', oneOrMore(z.enum(transportWords))),
  security: field('What protects the connection; REALITY is not `tls`.', oneOrMore(z.enum(securityWords))),
  cipher: field('The cipher of shadowsocks or vmess, as `aes-128-gcm`.', oneOrMore(words)),
  insecure: field('Whether the certificate of the server is not checked.', z.boolean()),
  udp: field('Whether the node carries UDP.', z.boolean()),
  credentials: field('Whether the node has a user, a password or a key.', z.boolean()),
  expression: field(
    'The same conditions as text: `country in (DE, NL) and not name ~ "x2" and port == 443`.',
    z.string().check(z.minLength(1), z.maxLength(4000)),
  ),
};

const conditionsSchema = z.strictObject(conditions);

/**
 * Which nodes are meant. All fields must hold; of a list one is enough. An empty query means every node. It nests one
 * level only: what needs more is said better as an `expression`.
 */
export const nodeQuerySchema = named(
  'NodeQuery',
  'Which nodes are meant: all fields must hold, of a list one is enough; an empty query means every node.',
  z.strictObject({
    ...conditions,
    any: field(
      'At least one of these must hold too.',
      z.array(conditionsSchema).check(z.minLength(1), z.maxLength(64)),
    ),
    not: field('None of these may hold.', oneOrMore(conditionsSchema)),
  }),
);

export type NodeConditions = z.output<typeof conditionsSchema>;
export type NodeQuery = z.output<typeof nodeQuerySchema>;
