import type { Json } from '@sbox/engines/sing-box/render';
import type { ParamSpec, PlainParamSpec } from '@sbox/protocol/pipeline';

const when = (condition: unknown, then: unknown, otherwise?: unknown): Json => ({
  $when: condition,
  $then: then,
  ...(otherwise === undefined ? {} : { $else: otherwise }),
});
/** The users of an inbound; one who is not known by what the inbound asks for would be let in without it. */
const usersWith = (words: readonly string[], more: Json = {}): Json => {
  const asked = words.map((word) => [word, given(`\${user.${word}}`, `every user needs a ${word} for this inbound`)]);
  const user = { name: '${user.name}', ...Object.fromEntries(asked), ...more };
  return when(
    '${users}',
    { $each: '${users}', $as: 'user', $do: user },
    { $fail: 'users are needed for this inbound' },
  );
};

const given = (value: string, words: string): Json => when(value, value, { $fail: words });

const port = (what: string): ParamSpec => ({
  type: 'port',
  description: `Opens ${what} on this port.`,
  optional: true,
});
const secret = (description: string): PlainParamSpec => ({ type: 'secret', description, optional: true, min: 1 });

export const serverParams = {
  listen: { type: 'string', description: 'Address of all ports.', default: '::', min: 2, max: 64 },
  vless_port: port('VLESS'),
  vless_flow: {
    type: 'enum',
    description: 'The flow of VLESS users.',
    values: ['xtls-rprx-vision'],
    optional: true,
  },
  trojan_port: port('Trojan'),
  vmess_port: port('VMess'),
  vmess_path: {
    type: 'string',
    description: 'VMess goes over WebSocket with this path.',
    pattern: '^/',
    optional: true,
  },
  shadowsocks_port: port('Shadowsocks'),
  shadowsocks_method: {
    type: 'enum',
    description: 'The cipher of Shadowsocks. Those of 2022 need a password that is base64 of 16 or 32 bytes.',
    values: [
      '2022-blake3-aes-128-gcm',
      '2022-blake3-aes-256-gcm',
      '2022-blake3-chacha20-poly1305',
      'aes-128-gcm',
      'aes-256-gcm',
      'chacha20-ietf-poly1305',
    ],
    default: '2022-blake3-aes-128-gcm',
  },
  shadowsocks_password: secret('The password of Shadowsocks.'),
  hysteria2_port: port('Hysteria2 (UDP)'),
  hysteria2_obfs_password: secret('Hides what Hysteria2 looks like from those who do not know it.'),
  tuic_port: port('TUIC (UDP)'),
  anytls_port: port('AnyTLS (sing-box 1.12 or newer)'),
  users: {
    type: 'list',
    description: 'Who may connect. Shadowsocks has one password for all.',
    items: {
      type: 'object',
      description: 'A user.',
      fields: {
        name: { type: 'string', description: 'The name, for logs.', min: 1, max: 64 },
        uuid: secret('For VLESS, VMess and TUIC.'),
        password: secret('For Trojan, Hysteria2, TUIC and AnyTLS.'),
      },
    },
    default: [],
  },
  tls_server_name: { type: 'string', description: 'The name in the certificate.', optional: true, min: 1, max: 253 },
  certificate_path: {
    type: 'string',
    description: 'The certificate, a PEM file on the server.',
    optional: true,
    min: 1,
  },
  key_path: { type: 'string', description: 'Its key, a PEM file on the server.', optional: true, min: 1 },
  reality_private_key: secret('VLESS takes REALITY instead of the certificate; needs a build with uTLS.'),
  reality_short_id: { type: 'string', description: 'Of REALITY, hex.', pattern: '^([0-9a-f]{2}){0,8}$', default: '' },
  reality_server: {
    type: 'string',
    description: 'The site that REALITY looks like.',
    optional: true,
    min: 1,
    max: 253,
  },
  exit: {
    type: 'enum',
    description: 'Where connections go on: straight to where they want, or through the nodes of the subscriptions.',
    values: ['direct', 'nodes'],
    default: 'direct',
  },
  block_private: {
    type: 'bool',
    description: "Users cannot reach private addresses, such as those of the server's own network.",
    default: true,
  },
  block_bittorrent: { type: 'bool', description: 'Refuses BitTorrent.', default: false },
  log_level: {
    type: 'enum',
    description: '`warn` keeps the names that people visit out of the log.',
    values: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'panic'],
    default: 'warn',
  },
} as const satisfies Record<string, ParamSpec>;

const ports = Object.keys(serverParams).filter((name) => name.endsWith('_port'));
const isRelay = { $eq: ['${exit}', 'nodes'] };
const needs = (condition: unknown, words: string): Json => when({ $not: condition }, { $fail: words });

const certificate = when(
  { $all: ['${certificate_path}', '${key_path}'] },
  {
    enabled: true,
    server_name: '${tls_server_name}',
    certificate_path: '${certificate_path}',
    key_path: '${key_path}',
  },
  { $fail: 'certificate_path and key_path are needed for this inbound' },
);

const reality: Json = {
  enabled: true,
  server_name: given('${reality_server}', 'reality_server is needed'),
  reality: {
    enabled: true,
    handshake: { server: '${reality_server}', server_port: 443 },
    private_key: '${reality_private_key}',
    short_id: ['${reality_short_id}'],
  },
};

const inbound = (type: string, fields: Json): Json =>
  when(`\${${type}_port}`, { type, tag: type, listen: '${listen}', listen_port: `\${${type}_port}`, ...fields });

const inbounds = [
  needs({ $any: ports.map((name) => `\${${name}}`) }, `one of ${ports.join(', ')} is needed`),
  inbound('vless', {
    users: usersWith(['uuid'], { flow: '${vless_flow}' }),
    tls: when('${reality_private_key}', reality, certificate),
  }),
  inbound('trojan', { users: usersWith(['password']), tls: certificate }),
  inbound('vmess', {
    users: usersWith(['uuid']),
    transport: when('${vmess_path}', { type: 'ws', path: '${vmess_path}' }),
    tls: when('${certificate_path}', certificate),
  }),
  inbound('shadowsocks', {
    method: '${shadowsocks_method}',
    password: given('${shadowsocks_password}', 'shadowsocks_password is needed'),
  }),
  inbound('hysteria2', {
    users: usersWith(['password']),
    obfs: when('${hysteria2_obfs_password}', { type: 'salamander', password: '${hysteria2_obfs_password}' }),
    tls: certificate,
  }),
  inbound('tuic', {
    users: usersWith(['uuid', 'password']),
    congestion_control: 'bbr',
    tls: certificate,
  }),
  inbound('anytls', { users: usersWith(['password']), tls: certificate }),
];

/** For machines that others connect to. */
export const serverDocument: Json = {
  log: { level: '${log_level}', timestamp: true },
  dns: { servers: [{ type: 'local', tag: 'local' }], final: 'local' },
  inbounds,
  outbounds: when(
    isRelay,
    [
      { type: 'selector', tag: 'select', outbounds: ['auto', '$groups', '$nodes'], interrupt_exist_connections: false },
      { type: 'urltest', tag: 'auto', outbounds: ['$nodes'], interrupt_exist_connections: false },
      { $groups: true },
      { $nodes: true },
      { type: 'direct', tag: 'direct' },
    ],
    [{ type: 'direct', tag: 'direct' }],
  ),
  route: {
    rules: [
      when('${block_bittorrent}', [{ action: 'sniff' }, { protocol: 'bittorrent', action: 'reject' }]),
      when('${block_private}', [
        // A name may lead to a private address too; through a node it is the node that would reach it.
        when({ $not: isRelay }, { action: 'resolve' }),
        { ip_is_private: true, action: 'reject' },
      ]),
    ],
    final: when(isRelay, 'select', 'direct'),
    default_domain_resolver: 'local',
  },
};
