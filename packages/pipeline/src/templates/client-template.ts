import type { Json } from '@sbox/engines/sing-box/render';

const some = (...conditions: readonly unknown[]): object => ({ $any: conditions });
const no = (condition: unknown): object => ({ $not: condition });
const is = (param: string, value: string): object => ({ $eq: [`\${${param}}`, value] });
const when = (condition: unknown, then: unknown, otherwise?: unknown): Json => ({
  $when: condition,
  $then: then,
  ...(otherwise === undefined ? {} : { $else: otherwise }),
});

const lists = ['${regions}', '${block_ads}', '${block_domains}', '${direct_domains}', '${proxy_domains}'];
/** Rules about names need to look into connections; without such rules only DNS is looked into. */
const looksInside = some(no(is('inbound', 'mixed')), ...lists);
const hasTun = no(is('inbound', 'mixed'));
const hasPort = no(is('inbound', 'tun'));
const isBypass = is('mode', 'bypass');
const hasRuleSets = some('${regions}', '${block_ads}');

const proxied = { action: 'route', outbound: 'select' };
const direct = { action: 'route', outbound: 'direct' };
const answeredBy = (server: string): Json => ({ action: 'route', server });
const unknownName = { action: 'predefined', rcode: 'NXDOMAIN' };
// A choice made through the control API must not cut the connections that are open.
const keepsConnections = { interrupt_exist_connections: false };

const preset = (name: string, part: string, rest: Json = {}): Json => ({ $rules: name, $part: part, $with: rest });
const eachRegion = (...rules: readonly unknown[]): Json => ({ $each: '${regions}', $as: 'region', $do: rules });

/** With a network interface the machine's own resolver asks through it, and so would wait for itself. */
const nearby = (tag: string): Json =>
  when(
    some(hasTun, '${node_dns}'),
    { type: 'udp', tag, server: when('${node_dns}', '${node_dns}', '1.1.1.1') },
    { type: 'local', tag },
  );

const dns: Json = {
  servers: [
    // Nodes are found without a node; what clients ask goes through them.
    nearby('local'),
    { tag: 'remote', type: '${dns_type}', server: '${dns_server}', detour: 'select' },
    when(
      '${dns_split}',
      when(is('dns_direct_type', 'local'), nearby('domestic'), {
        type: '${dns_direct_type}',
        tag: 'domestic',
        server: when('${dns_direct_server}', '${dns_direct_server}', { $fail: 'dns_direct_server is needed' }),
      }),
    ),
    when('${fakeip}', { tag: 'fakeip', type: 'fakeip', inet4_range: '198.18.0.0/15', inet6_range: 'fc00::/18' }),
  ],
  rules: when(some('${dns_split}', '${fakeip}', '${block_ads}', '${block_domains}'), [
    when('${block_domains}', { domain_suffix: '${block_domains}', ...unknownName }),
    when('${block_ads}', preset('ads', 'blocked-names', unknownName)),
    when('${dns_split}', [
      when('${proxy_domains}', { domain_suffix: '${proxy_domains}', ...answeredBy('remote') }),
      when('${direct_domains}', { domain_suffix: '${direct_domains}', ...answeredBy('domestic') }),
      eachRegion(
        preset('${region}', 'blocked-names?', answeredBy('remote')),
        when(isBypass, preset('${region}', 'own-names', answeredBy('domestic'))),
      ),
    ]),
    when('${fakeip}', { query_type: ['A', 'AAAA'], ...answeredBy('fakeip') }),
  ]),
  final: when({ $all: ['${dns_split}', no(isBypass)] }, 'domestic', 'remote'),
  strategy: '${dns_strategy}',
};

const inbounds = [
  when(hasPort, { type: 'mixed', tag: 'in', listen: '${listen}', listen_port: '${port}' }),
  when(hasTun, {
    type: 'tun',
    tag: 'tun',
    address: '${tun_address}',
    mtu: '${tun_mtu}',
    stack: '${tun_stack}',
    auto_route: true,
    strict_route: '${strict_route}',
    auto_redirect: when('${auto_redirect}', true),
    route_exclude_address: when('${tun_exclude}', '${tun_exclude}'),
  }),
];

const outbounds = [
  { type: 'selector', tag: 'select', outbounds: ['auto', '$groups', '$nodes'], default: 'auto', ...keepsConnections },
  {
    type: 'urltest',
    tag: 'auto',
    outbounds: ['$nodes'],
    url: '${urltest_url}',
    interval: '${urltest_interval}',
    tolerance: '${urltest_tolerance}',
    ...keepsConnections,
  },
  { $groups: true },
  { $nodes: true },
  { type: 'direct', tag: 'direct' },
];

const route: Json = {
  rules: [
    when(
      looksInside,
      [{ action: 'sniff' }, { protocol: 'dns', action: 'hijack-dns' }],
      [
        // Elsewhere sniffing delays protocols in which the server speaks first.
        { port: 53, action: 'sniff', sniffer: ['dns'] },
        { port: 53, protocol: 'dns', action: 'hijack-dns' },
      ],
    ),
    when('${lan_direct}', { ip_is_private: true, ...direct }),
    when('${block_domains}', { domain_suffix: '${block_domains}', action: 'reject' }),
    when('${block_ads}', preset('ads', 'blocked-names', { action: 'reject' })),
    when('${proxy_domains}', { domain_suffix: '${proxy_domains}', ...proxied }),
    when('${direct_domains}', { domain_suffix: '${direct_domains}', ...direct }),
    eachRegion(
      when(
        isBypass,
        [preset('${region}', 'blocked?', proxied), preset('${region}', 'own', direct)],
        preset('${region}', 'blocked', proxied),
      ),
    ),
  ],
  rule_set: when(hasRuleSets, [
    when('${block_ads}', preset('ads', 'blocked-sets')),
    eachRegion(preset('${region}', 'blocked-sets?'), when(isBypass, preset('${region}', 'own-sets'))),
  ]),
  final: when(isBypass, 'select', 'direct'),
  auto_detect_interface: when(hasTun, true),
  default_domain_resolver: 'local',
  default_http_client: when(hasRuleSets, 'rule-sets'),
};

/** For machines whose programs go out through nodes. What is not switched on leaves no trace in it. */
export const clientDocument: Json = {
  log: { level: '${log_level}', timestamp: true },
  dns,
  http_clients: when(hasRuleSets, [{ tag: 'rule-sets', detour: when(is('rule_sets_through', 'proxy'), 'select') }]),
  inbounds,
  outbounds,
  route,
};
