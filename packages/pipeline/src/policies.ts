import type { NodeQuery, Policy } from '@sbox/protocol/pipeline';
import type { Blame, ExpressionNode } from './expressions/index.ts';
import type { PipedNode } from './piped-node.ts';
import { compileQuery } from './query/compile-query.ts';
import { nodeFields } from './query/node-fields.ts';
import { createPatternCompiler, invalid } from './regex.ts';

export interface PolicyFinding {
  readonly policy: string;
  readonly verdict: Policy['verdict'];
  readonly reason: string;
  /** Set when it is about one node. */
  readonly node?: { readonly id: string; readonly tag: string; readonly subscription: string };
  /** Set when it is about a place in the config, with what is called so there. */
  readonly path?: string;
  readonly tag?: string;
  /** How many nodes there are, when it is about their number; how many more findings there are, when they are too many to name. */
  readonly count?: number;
  /** Set when the policy could not be evaluated: why. */
  readonly problem?: { readonly code: string; readonly detail: string };
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

/** Policies over the rendered config; what is right depends on the place, so that they stand ready and say no more. */
export const readyExpressions: readonly Policy[] = [
  {
    name: 'encrypted-dns',
    verdict: 'deny',
    reason: 'whoever sits in between reads the names that are looked up',
    expression:
      'config.?dns.?servers.orValue([]).all(s, has(s.detour) || s.?type.orValue("") in ["tls", "https", "quic", "h3", "local", "fakeip", "hosts"])',
  },
  {
    name: 'open-inbound',
    verdict: 'deny',
    reason: 'it listens on all addresses',
    expression: 'config.?inbounds.orValue([]).all(i, !has(i.listen) || !(i.listen in ["", "0.0.0.0", "::"]))',
  },
  {
    name: 'debug-log',
    verdict: 'warn',
    reason: 'the log tells of every connection',
    expression: '!(config.?log.?level.orValue("info") in ["debug", "trace"])',
  },
  {
    name: 'unchecked-certificate',
    verdict: 'deny',
    reason: 'it does not check the certificate of its server',
    expression: 'config.?outbounds.orValue([]).all(o, !o.?tls.?insecure.orValue(false))',
  },
];

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
 * without says one thing about each; one with an expression what that can name.
 * @param evaluate what is wrong by an expression, undefined for nothing; without it those policies find nothing
 * @throws ProblemError `pipeline.invalid` for a query that cannot be used
 */
export function applyPolicies(
  nodes: readonly PipedNode[],
  policies: readonly Policy[],
  evaluate: (policy: Policy) => Blame | undefined = () => undefined,
): PolicyFinding[] {
  const pattern = createPatternCompiler();
  return policies
    .filter(({ enabled }) => enabled !== false)
    .flatMap((policy): PolicyFinding[] => {
      if (policy.query === undefined) return blamed(policy, evaluate(policy));
      if ((policy.at_least ?? 0) > (policy.at_most ?? Infinity))
        throw invalid(`the policy ${policy.name} wants at least more than at most`);
      const found = nodes.filter(compileQuery(policy.query, pattern));
      const { at_most, at_least } = policy;
      const finding = findingOf(policy);
      if (at_most === undefined && at_least === undefined)
        return found.map(({ node, subscription }) => ({
          ...finding,
          node: { id: node.id, tag: node.tag, subscription },
        }));
      const isWithin = found.length <= (at_most ?? Infinity) && found.length >= (at_least ?? 0);
      return isWithin ? [] : [{ ...finding, count: found.length }];
    });
}

const findingOf = ({ name, verdict, reason }: Policy): PolicyFinding => ({ policy: name, verdict, reason });

/** What an expression found, as findings: one for each place, and one for a policy that names none. */
export function blamed(policy: Policy, blame: Blame | undefined): PolicyFinding[] {
  if (blame === undefined) return [];
  const finding = findingOf(policy);
  if (blame.places.length === 0) return [finding];
  const more = blame.more === 0 ? [] : [{ ...finding, count: blame.more }];
  return [...blame.places.map((place) => ({ ...finding, ...place })), ...more];
}

/** Nodes as expressions see them: by the same fields as queries. */
export const expressionNodes = (nodes: readonly PipedNode[]): ExpressionNode[] =>
  nodes.map((piped) => {
    const { node, subscription, labels } = piped;
    return {
      id: node.id,
      name: node.tag,
      protocol: node.type,
      host: node.server,
      port: node.server_port,
      country: nodeFields.country.of(piped),
      labels,
      subscription,
      transport: nodeFields.transport.of(piped),
      security: nodeFields.security.of(piped),
      cipher: nodeFields.cipher.of(piped),
      insecure: nodeFields.insecure.of(node),
      udp: nodeFields.udp.of(node),
      credentials: nodeFields.credentials.of(node),
    };
  });
