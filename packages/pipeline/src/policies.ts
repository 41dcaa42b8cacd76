import { nodeQuerySchema, type NodeQuery } from '@sbox/protocol/pipeline';
import * as z from 'zod/mini';
import type { PipedNode } from './piped-node.ts';
import { compileQuery } from './query/compile-query.ts';
import { createPatternCompiler, invalid } from './regex.ts';

/** Something that must not be: nodes of a kind, or too many or too few of them. */
export const policySchema = z.strictObject({
  name: z.string().check(z.regex(/^[a-z0-9][a-z0-9-]{0,63}$/), z.describe('Small letters, digits and `-`.') as never),
  verdict: z.enum(['deny', 'warn']).check(z.describe('What a finding does.') as never),
  reason: z.string().check(z.minLength(1), z.maxLength(500), z.describe('What is wrong, for people.') as never),
  query: nodeQuerySchema.check(z.describe('The nodes that it is about.') as never),
  at_most: z.optional(
    z
      .int()
      .check(z.minimum(0), z.describe('The most nodes of the query that are right; without numbers none is.') as never),
  ),
  at_least: z.optional(
    z.int().check(z.minimum(1), z.describe('The fewest nodes of the query that are right.') as never),
  ),
  enabled: z.optional(z.boolean().check(z.describe('`false` switches the policy off.') as never)),
});
export type Policy = z.output<typeof policySchema>;

export interface PolicyFinding {
  readonly policy: string;
  readonly verdict: Policy['verdict'];
  readonly reason: string;
  /** Set when it is about one node. */
  readonly node?: { readonly id: string; readonly tag: string; readonly subscription: string };
  /** How many nodes there are, when it is about their number. */
  readonly count?: number;
}

const weakCiphers = [
  'none',
  'plain',
  'zero',
  'table',
  'rc4',
  'rc4-md5',
  'chacha20',
  'chacha20-ietf',
  'salsa20',
  'bf-cfb',
  'des-cfb',
  'cast5-cfb',
  'idea-cfb',
  'rc2-cfb',
  'seed-cfb',
  'aes-128-cfb',
  'aes-192-cfb',
  'aes-256-cfb',
  'aes-128-ctr',
  'aes-192-ctr',
  'aes-256-ctr',
  'camellia-128-cfb',
  'camellia-192-cfb',
  'camellia-256-cfb',
];

const ready = (name: string, verdict: Policy['verdict'], reason: string, query: NodeQuery): Policy => ({
  name,
  verdict,
  reason,
  query,
});

/** Policies that need nothing said. */
export const readyPolicies: readonly Policy[] = [
  ready('weak-cipher', 'deny', 'its cipher is broken or none, and nothing else protects it', {
    protocol: ['shadowsocks', 'shadowsocksr', 'vmess'],
    cipher: weakCiphers,
    security: 'none',
  }),
  ready('insecure-tls', 'warn', 'it does not check the certificate of its server', { insecure: true }),
  ready('no-encryption', 'warn', 'nothing between here and its server is encrypted', {
    protocol: ['vless', 'socks', 'http', 'trojan'],
    security: 'none',
  }),
  ready('no-credentials', 'warn', 'anybody may use its server: it has no password and no key', { credentials: false }),
  ready('private-address', 'warn', 'its server is an address of a private network', {
    host: [
      '10.0.0.0/8',
      '172.16.0.0/12',
      '192.168.0.0/16',
      '100.64.0.0/10',
      '127.0.0.0/8',
      '169.254.0.0/16',
      'fc00::/7',
      'fe80::/10',
      '::1/128',
      'localhost',
    ],
  }),
  ready('old-protocol', 'warn', 'its protocol is given up by those who made it', {
    protocol: ['shadowsocksr', 'hysteria'],
  }),
];

/** Only nodes of these countries; nodes whose country is not known are found too. */
export const countryPolicy = (allowed: readonly string[], verdict: Policy['verdict'] = 'deny'): Policy =>
  ready('country', verdict, `its country is none of ${allowed.join(', ')}`, { not: { country: [...allowed] } });

/** Only nodes of these protocols. */
export const protocolPolicy = (allowed: readonly string[], verdict: Policy['verdict'] = 'deny'): Policy =>
  ready('protocol', verdict, `its protocol is none of ${allowed.join(', ')}`, { not: { protocol: [...allowed] } });

/** How many nodes there may be in all. */
export const limitPolicy = (most: number, least = 1): Policy => ({
  ...ready('limit', 'deny', `there must be from ${least} to ${most} nodes`, {}),
  at_most: most,
  at_least: least,
});

/**
 * What the policies find, in their order. A policy with a number says one thing about all nodes of its query; one
 * without says one thing about each.
 * @throws ProblemError `pipeline.invalid` for a query that cannot be used
 */
export function applyPolicies(nodes: readonly PipedNode[], policies: readonly Policy[]): PolicyFinding[] {
  const pattern = createPatternCompiler();
  return policies
    .filter(({ enabled }) => enabled !== false)
    .flatMap((policy): PolicyFinding[] => {
      if ((policy.at_least ?? 0) > (policy.at_most ?? Infinity))
        throw invalid(`the policy ${policy.name} wants at least more than at most`);
      const found = nodes.filter(compileQuery(policy.query, pattern));
      const { name, verdict, reason, at_most, at_least } = policy;
      const finding = { policy: name, verdict, reason };
      if (at_most === undefined && at_least === undefined)
        return found.map(({ node, subscription }) => ({
          ...finding,
          node: { id: node.id, tag: node.tag, subscription },
        }));
      const isWithin = found.length <= (at_most ?? Infinity) && found.length >= (at_least ?? 0);
      return isWithin ? [] : [{ ...finding, count: found.length }];
    });
}
