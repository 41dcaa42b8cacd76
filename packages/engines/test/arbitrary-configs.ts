import * as fc from 'fast-check';
import { key32 } from './arbitrary-nodes.ts';

type Part = Record<string, unknown>;

const leafTypes = ['socks', 'socks', 'direct', 'block', 'wireguard', 'wireguard', 'http'] as const;

function leaf(tag: string, type: (typeof leafTypes)[number], detour: string | undefined): Part {
  if (type === 'direct' || type === 'block') return { type, tag };
  const way = detour === undefined ? {} : { detour };
  if (type !== 'wireguard') return { type, tag, server: '192.0.2.1', server_port: 1080, ...way };
  const peer = { address: '192.0.2.1', port: 51_820, public_key: key32, allowed_ips: ['0.0.0.0/0'] };
  return { type, tag, address: ['10.0.0.2/32'], private_key: key32, peers: [peer], ...way };
}

const inbound = (index: number): fc.Arbitrary<Part> =>
  fc
    .record({
      type: fc.constantFrom('mixed', 'socks', 'http', 'shadowsocks', 'direct', 'tun'),
      listen: fc.constantFrom('::', '0.0.0.0', '127.0.0.1', '192.0.2.7'),
      hasUsers: fc.boolean(),
    })
    .map(({ type, listen, hasUsers }) => {
      const tag = `in${index}`;
      if (type === 'tun') return { type, tag, address: ['172.19.0.1/30'] };
      const base = { type, tag, listen, listen_port: 20_000 + index };
      if (type === 'shadowsocks') return { ...base, method: 'aes-128-gcm', password: 'x' };
      return hasUsers && type !== 'direct' ? { ...base, users: [{ username: 'u', password: 'p' }] } : base;
    });

/** sing-box configurations that fit together: every name is there, nothing goes in circles. */
export const soundConfig: fc.Arbitrary<Part> = fc
  .record({
    leaves: fc.array(fc.tuple(fc.constantFrom(...leafTypes), fc.nat(), fc.nat(3)), { minLength: 1, maxLength: 8 }),
    groups: fc.array(fc.tuple(fc.boolean(), fc.array(fc.nat(), { minLength: 1, maxLength: 5 }), fc.nat(4)), {
      maxLength: 5,
    }),
    dns: fc.array(fc.tuple(fc.nat(), fc.nat(2)), { maxLength: 3 }),
    rules: fc.array(fc.nat(), { maxLength: 4 }),
    final: fc.option(fc.nat()),
    inbounds: fc
      .integer({ min: 0, max: 4 })
      .chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => inbound(index)))),
    groupsFirst: fc.boolean(),
  })
  .map(({ leaves, groups, dns, rules, final, inbounds, groupsFirst }) => {
    const tags: string[] = [];
    const pick = (where: number): string => tags[where % tags.length] ?? '';
    const made = leaves.map(([type, via, chain], index) => {
      const part = leaf(`o${index}`, type, chain === 0 && tags.length > 0 ? pick(via) : undefined);
      tags.push(`o${index}`);
      return part;
    });
    const grouped = groups.map(([isUrltest, members, choice], index): Part => {
      const outbounds = [...new Set(members.map(pick))];
      const standing = isUrltest || choice === 0 ? {} : { default: outbounds[choice % outbounds.length] };
      tags.push(`g${index}`);
      return { type: isUrltest ? 'urltest' : 'selector', tag: `g${index}`, outbounds, ...standing };
    });
    const isEndpoint = ({ type }: Part): boolean => type === 'wireguard';
    const plain = made.filter((part) => !isEndpoint(part));
    const servers = [
      { type: 'local', tag: 'd' },
      ...dns.map(([via, kind], index) => ({
        type: 'udp',
        tag: `d${index}`,
        server: '192.0.2.53',
        ...(kind === 0 ? {} : detourOf(pick(via), made)),
      })),
    ];
    const endpoints = made.filter(isEndpoint);
    return {
      dns: {
        servers,
        rules: dns.map((_, index) => ({ domain: `${index}.test`, server: `d${index}` })),
        final: servers.at(-1)?.tag,
      },
      inbounds,
      ...(endpoints.length === 0 ? {} : { endpoints }),
      outbounds: groupsFirst ? [...grouped, ...plain] : [...plain, ...grouped],
      route: {
        rules: rules.map((where, index) => ({ domain: `r${index}.test`, outbound: pick(where) })),
        ...(final === null ? {} : { final: pick(final) }),
        default_domain_resolver: 'd',
      },
    };
  });

/** sing-box refuses a detour to a direct outbound that does nothing of its own. */
const detourOf = (tag: string, leaves: readonly Part[]): Part =>
  leaves.some((part) => part['tag'] === tag && part['type'] === 'direct') ? {} : { detour: tag };
