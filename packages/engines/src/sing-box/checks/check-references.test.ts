import { expect, test } from '@jest/globals';
import { sampleNodes } from '../../../test/sample-nodes.ts';
import { checkReferences, type FindingCode } from './check-references.ts';
import type { Json } from '../document.ts';
import { renderSingBox } from '../render.ts';

const proxy = (tag: string, more = {}): Json => ({ type: 'socks', tag, server: '192.0.2.1', server_port: 1, ...more });
const group = (tag: string, ...outbounds: string[]): Json => ({ type: 'selector', tag, outbounds });
const listener = (tag: string, listen_port: number, more = {}): Json => ({
  type: 'mixed',
  tag,
  listen: '127.0.0.1',
  listen_port,
  ...more,
});
const local = (tag: string, more = {}): Json => ({ type: 'local', tag, ...more });

const broken: readonly (readonly [config: Json, code: FindingCode, path: string])[] = [
  [{ outbounds: [group('s', 'a', 'nope'), proxy('a')] }, 'reference.missing', 'outbounds[0].outbounds[1]'],
  [{ outbounds: [{ ...group('s', 'a'), default: 'nope' }, proxy('a')] }, 'reference.missing', 'outbounds[0].default'],
  [
    { outbounds: [{ ...group('s', 'a'), default: 'b' }, proxy('a'), proxy('b')] },
    'reference.missing',
    'outbounds[0].default',
  ],
  [{ outbounds: [proxy('a', { detour: 'nope' })] }, 'reference.missing', 'outbounds[0].detour'],
  [{ endpoints: [{ type: 'wireguard', tag: 'w', detour: 'nope' }] }, 'reference.missing', 'endpoints[0].detour'],
  [{ outbounds: [proxy('a')], route: { final: 'nope' } }, 'reference.missing', 'route.final'],
  [{ route: { rules: [{ domain: 'x', outbound: 'nope' }] } }, 'reference.missing', 'route.rules[0].outbound'],
  [
    { route: { rules: [{ type: 'logical', mode: 'or', rules: [{ rule_set: ['nope'] }] }] } },
    'reference.missing',
    'route.rules[0].rules[0].rule_set[0]',
  ],
  [{ route: { rules: [{ action: 'resolve', server: 'nope' }] } }, 'reference.missing', 'route.rules[0].server'],
  [
    { route: { rule_set: [{ type: 'remote', tag: 'r', download_detour: 'nope' }] } },
    'reference.missing',
    'route.rule_set[0].download_detour',
  ],
  [{ route: { default_domain_resolver: 'nope' } }, 'reference.missing', 'route.default_domain_resolver'],
  [
    { route: { default_domain_resolver: { server: 'nope', strategy: 'ipv4_only' } } },
    'reference.missing',
    'route.default_domain_resolver.server',
  ],
  [{ dns: { servers: [local('d')], final: 'nope' } }, 'reference.missing', 'dns.final'],
  [{ dns: { servers: [local('d', { detour: 'nope' })] } }, 'reference.missing', 'dns.servers[0].detour'],
  [
    { dns: { servers: [local('d')], rules: [{ domain: 'x', server: 'nope' }] } },
    'reference.missing',
    'dns.rules[0].server',
  ],
  [{ inbounds: [listener('a', 1, { detour: 'nope' })] }, 'reference.missing', 'inbounds[0].detour'],
  [{ outbounds: [group('a', 'b'), group('b', 'c'), group('c', 'a')] }, 'reference.cycle', 'outbounds[2].outbounds[0]'],
  [{ outbounds: [group('a', 'a')] }, 'reference.cycle', 'outbounds[0].outbounds[0]'],
  [{ outbounds: [group('a', 'b'), proxy('b', { detour: 'a' })] }, 'reference.cycle', 'outbounds[1].detour'],
  [
    { dns: { servers: [local('d', { domain_resolver: 'e' }), local('e', { domain_resolver: 'd' })] } },
    'reference.cycle',
    'dns.servers[1].domain_resolver',
  ],
  [{ outbounds: [proxy('a'), proxy('a')] }, 'tag.duplicate', 'outbounds[1].tag'],
  [{ outbounds: [proxy('a')], endpoints: [{ type: 'wireguard', tag: 'a' }] }, 'tag.duplicate', 'endpoints[0].tag'],
  [{ inbounds: [listener('a', 1), listener('a', 2)] }, 'tag.duplicate', 'inbounds[1].tag'],
  [{ outbounds: [group('a')] }, 'group.empty', 'outbounds[0].outbounds'],
  [{ inbounds: [listener('a', 1), listener('b', 1)] }, 'port.duplicate', 'inbounds[1].listen_port'],
  [{ inbounds: [listener('a', 1), listener('b', 1, { listen: '::' })] }, 'port.duplicate', 'inbounds[1].listen_port'],
  [
    { inbounds: [listener('a', 1)], services: [{ type: 'ssm-api', listen: '0.0.0.0', listen_port: 1 }] },
    'port.duplicate',
    'services[0].listen_port',
  ],
  [
    { dns: { servers: [local('d'), local('e')] }, outbounds: [proxy('a', { server: 'a.test' })] },
    'resolver.missing',
    'route.default_domain_resolver',
  ],
];

test.each(broken)('%j', (config, code, path) => {
  expect(checkReferences(config).map((finding) => [finding.code, finding.path])).toEqual([[code, path]]);
});

const sound: readonly Json[] = [
  {},
  { outbounds: [proxy('')], route: { final: '0' } },
  { outbounds: [group('a', 'b', 'c'), group('b', 'd'), group('c', 'd'), proxy('d')] },
  { outbounds: [group('a', 'w')], endpoints: [{ type: 'wireguard', tag: 'w' }], route: { final: 'w' } },
  { inbounds: [listener('a', 1), { type: 'hysteria2', tag: 'b', listen: '::', listen_port: 1 }] },
  { inbounds: [listener('a', 1), listener('b', 1, { listen: '::1' })] },
  { inbounds: [listener('a', 0), listener('b', 0)] },
  { inbounds: [{ type: 'shadowsocks', tag: 'a', listen: '::', listen_port: 1, network: 'udp' }, listener('b', 1)] },
  { dns: { servers: [local('d'), local('e')] }, outbounds: [proxy('a'), proxy('b', { server: '2001:db8::1' })] },
  { dns: { servers: [local('d'), local('e')] }, outbounds: [proxy('a', { server: 'a.test', domain_resolver: 'd' })] },
  { route: { rule_set: [{ tag: ['x', 'y'] }], rules: [{ rule_set: 'y', inbound: 'not-there' }] } },
];

test.each(sound)('nothing against %j', (config) => {
  expect(checkReferences(config)).toEqual([]);
});

test.each([null, 'x', []])('%j is no configuration', (config) => {
  expect(checkReferences(config).map(({ code }) => code)).toEqual(['config.malformed']);
});

test('a cycle is told by its names', () => {
  const [finding] = checkReferences({ outbounds: [group('x', 'a'), group('a', 'b'), group('b', 'a')] });
  expect(finding?.message).toBe('outbounds wait for each other: a -> b -> a');
});

test('a chain as long as the configuration is walked', () => {
  const outbounds = Array.from({ length: 20_000 }, (_, index) => group(`g${index}`, `g${index + 1}`));
  expect(checkReferences({ outbounds: [...outbounds, proxy('g20000')] })).toEqual([]);
});

test('nothing against a rendition', () => {
  const target = {
    engine: 'sing-box',
    version: '1.14.4',
    tags: ['with_quic', 'with_wireguard', 'with_gvisor'],
  } as const;
  expect(checkReferences(renderSingBox(sampleNodes, target).config)).toEqual([]);
});
