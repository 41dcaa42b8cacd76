import type { ParamSpec } from '@sbox/protocol/pipeline';

const domains = (description: string): ParamSpec => ({
  type: 'list',
  description,
  items: { type: 'string', description: 'A domain, with everything below it.', pattern: '^[^\\s/*]+$', max: 253 },
  default: [],
});

/** What all templates for clients take; they differ in their defaults. */
export const clientParams = {
  inbound: {
    type: 'enum',
    description:
      'How programs reach the engine: a port for HTTP and SOCKS, a network interface that takes all traffic, or both.',
    values: ['mixed', 'tun', 'both'],
    default: 'mixed',
  },
  listen: { type: 'string', description: 'Address of the port.', default: '127.0.0.1', min: 2, max: 64 },
  port: { type: 'port', description: 'The port.', default: 1080 },
  tun_address: {
    type: 'list',
    description: "The interface's own addresses.",
    items: { type: 'cidr', description: 'An address with a prefix length.' },
    min: 1,
    default: ['172.19.0.1/30', 'fdfe:dcba:9876::1/126'],
  },
  tun_mtu: { type: 'int', description: 'MTU of the interface.', min: 1280, max: 65_535, default: 9000 },
  tun_stack: {
    type: 'enum',
    description: 'The TCP/IP stack of the interface; the engine chooses when it is not set.',
    values: ['system', 'gvisor', 'mixed'],
    optional: true,
  },
  strict_route: { type: 'bool', description: 'Leaves no way around the interface.', default: true },
  auto_redirect: {
    type: 'bool',
    description: 'Linux with nftables: faster, and needed for machines behind a gateway.',
    default: false,
  },
  tun_exclude: {
    type: 'list',
    description: 'Networks that are reached around the interface.',
    items: { type: 'cidr', description: 'A network.' },
    default: [],
  },
  regions: {
    type: 'list',
    description: 'Countries whose rules are used, in this order.',
    items: { type: 'enum', description: 'A preset.', values: ['ru', 'cn', 'ir'] },
    default: [],
  },
  mode: {
    type: 'enum',
    description:
      '`bypass`: everything through the nodes but what belongs to the regions. `blocked-only`: nothing but what is blocked there.',
    values: ['bypass', 'blocked-only'],
    default: 'bypass',
  },
  block_ads: { type: 'bool', description: 'Refuses advertising and tracking.', default: false },
  block_domains: domains('Domains that are refused.'),
  direct_domains: domains('Domains that are reached without a node.'),
  proxy_domains: domains('Domains that are reached through the nodes, whatever the regions say.'),
  lan_direct: { type: 'bool', description: 'Private addresses are reached without a node.', default: false },
  dns_type: {
    type: 'enum',
    description: 'How the DNS server behind the nodes is asked.',
    values: ['udp', 'tcp', 'tls', 'https'],
    default: 'https',
  },
  dns_server: {
    type: 'string',
    description: 'Address of the DNS server behind the nodes.',
    default: '1.1.1.1',
    min: 1,
    max: 253,
  },
  node_dns: {
    type: 'string',
    description:
      'Address of the DNS server that finds the nodes, without a node. When it is not set: the resolver of the machine, or 1.1.1.1 with a network interface.',
    optional: true,
    min: 2,
    max: 64,
  },
  dns_strategy: {
    type: 'enum',
    description: 'Which addresses of a name are used; the engine chooses when it is not set.',
    values: ['prefer_ipv4', 'prefer_ipv6', 'ipv4_only', 'ipv6_only'],
    optional: true,
  },
  dns_split: {
    type: 'bool',
    description: 'Asks another DNS server, without a node, for names that are reached without one.',
    default: false,
  },
  dns_direct_type: {
    type: 'enum',
    description: 'How that DNS server is asked; `local` is the one that finds the nodes.',
    values: ['local', 'udp', 'tcp', 'tls', 'https'],
    default: 'local',
  },
  dns_direct_server: {
    type: 'string',
    description: 'Its address; needed unless it is `local`.',
    optional: true,
    min: 1,
    max: 253,
  },
  fakeip: {
    type: 'bool',
    description: 'Answers names with made-up addresses at once, and finds the real ones later.',
    default: false,
  },
  rule_sets_through: {
    type: 'enum',
    description: 'How an engine fetches rule-sets that did not come with the config.',
    values: ['proxy', 'direct'],
    default: 'proxy',
  },
  urltest_url: {
    type: 'url',
    description: 'What is fetched through each node to find the fastest.',
    default: 'https://www.gstatic.com/generate_204',
  },
  urltest_interval: { type: 'duration', description: 'How often.', default: '5m' },
  urltest_tolerance: {
    type: 'int',
    description: 'Milliseconds by which another node must be faster to be taken.',
    min: 0,
    max: 65_535,
    default: 50,
  },
  log_level: {
    type: 'enum',
    description: '`warn` keeps the names that people visit out of the log.',
    values: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'panic'],
    default: 'warn',
  },
} as const satisfies Record<string, ParamSpec>;
