import * as fc from 'fast-check';
import { nodeTypes, transportTypes, type Node, type NodeFields, type NodeType } from '../node.ts';
import { nodeId, textHash } from '../node-id.ts';
import { normaliseName } from '../text/names.ts';
import { uniqueTags } from '../unique-tags.ts';
import { sha256 } from './golden-cases.ts';

type Fields = Readonly<Record<string, fc.Arbitrary<unknown>>>;

/** Texts that some format could take for something else. */
const traps = [
  'true no ~ null 0088 1e3 0x1f 12345 - = a=b;c \\ a:b a@b a#b a?b&c=d %41% %25 a+b/c== a,b [a] {a} " \' &amp; << *a'.split(
    ' ',
  ),
  [
    '',
    ' ',
    ' a ',
    'a b',
    '- x',
    'a\nb',
    '\t',
    '\u0085',
    '\u2028',
    '\ufeff',
    '\u202e',
    '\ud800',
    '🇩🇪',
    'пароль',
    '__proto__',
  ],
].flat();

const text = fc.oneof(
  fc.constantFrom(...traps),
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.string({ unit: 'binary-ascii', maxLength: 12 }),
);
const filled = text.filter((value) => value.trim() !== '');
const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/);
const flag = fc.boolean();
const int = fc.integer({ min: 1, max: 65_535 });
const host = fc.oneof(
  fc.stringMatching(/^[a-z]{1,6}\.example\.(?:net|org)$/),
  fc.constantFrom('192.0.2.7', '2001:db8::1', 'xn--e1afmkfd.example.net', 'пример.example.net'),
);
const duration = fc.constantFrom('5s', '30s', '1m30s', '100ms', '1h', '10000ms');
const headers = fc.dictionary(fc.constantFrom('Host', 'X-Real', 'User-Agent'), filled, {
  maxKeys: 2,
  noNullPrototype: true,
});
const list = (item: fc.Arbitrary<string>): fc.Arbitrary<string[]> => fc.array(item, { minLength: 1, maxLength: 3 });
const hex = (bytes: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((value) => Buffer.from(value).toString('hex'));
const key = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((value) => Buffer.from(value).toString('base64'));
const prefix = fc.constantFrom('10.0.0.2/32', '172.16.0.2/32', 'fd00::2/128', '10.0.0.0/8', '::/0', '0.0.0.0/0');
const range = fc.tuple(int, int).map(([a, b]) => `${Math.min(a, b)}:${Math.max(a, b)}`);

/** Some of the fields, and all of those that are required. */
const record = (required: Fields, optional: Fields = {}): fc.Arbitrary<Record<string, unknown>> =>
  fc.record({ ...required, ...optional }, { requiredKeys: Object.keys(required), noNullPrototype: true });

const yes = fc.constant(true);
const tls = record(
  { enabled: yes },
  {
    server_name: host,
    disable_sni: yes,
    insecure: yes,
    alpn: list(fc.constantFrom('h2', 'h3', 'http/1.1')),
    min_version: fc.constant('1.2'),
    utls: record({ enabled: yes, fingerprint: fc.constantFrom('chrome', 'firefox') }),
    reality: record({ enabled: yes, public_key: key }, { short_id: hex(4) }),
    ech: record({
      enabled: yes,
      config: key.map((config) => ['-----BEGIN ECH CONFIGS-----', config, '-----END ECH CONFIGS-----']),
    }),
  },
);
const transport = fc.oneof(
  record(
    { type: fc.constant('ws') },
    {
      path: filled,
      headers,
      max_early_data: int,
      early_data_header_name: fc.constantFrom('Sec-WebSocket-Protocol', 'X-Early'),
    },
  ),
  record(
    { type: fc.constant('http') },
    { host: list(host), path: filled, method: fc.constantFrom('GET', 'PUT'), headers },
  ),
  record({ type: fc.constant('grpc') }, { service_name: filled, idle_timeout: duration }),
  record({ type: fc.constant('httpupgrade') }, { host, path: filled, headers }),
  record({ type: fc.constantFrom(...transportTypes.slice(4)) }, { path: filled, host, mode: word, seed: filled }),
);
const multiplex = record(
  { enabled: yes },
  {
    protocol: fc.constantFrom('smux', 'h2mux'),
    max_connections: int,
    padding: flag,
    brutal: record({ enabled: yes }, { up_mbps: int, down_mbps: int }),
  },
);
const shadowTls = record({
  version: fc.constantFrom(2, 3),
  password: filled,
  tls: record({ enabled: yes, server_name: host }),
});
const udpOverTcp = fc.oneof(yes, record({ enabled: yes }, { version: fc.constantFrom(1, 2) }));
const v2ray: Fields = { tls, transport, multiplex, packet_encoding: fc.constantFrom('', 'xudp', 'packetaddr') };
const login: Fields = { username: filled, password: filled };
const hopping: Fields = { server_ports: list(range), hop_interval: duration };
const peer = record(
  { address: host, port: int, public_key: key, allowed_ips: list(prefix) },
  {
    pre_shared_key: key,
    persistent_keepalive_interval: int,
    reserved: fc.tuple(...[1, 2, 3].map(() => fc.integer({ min: 0, max: 255 }))),
  },
);

const byType: Readonly<Record<NodeType, readonly [Fields, Fields]>> = {
  shadowsocks: [
    { method: fc.constantFrom('aes-128-gcm', '2022-blake3-aes-128-gcm'), password: filled },
    {
      plugin: fc.constantFrom('obfs-local', 'v2ray-plugin', 'gost-plugin'),
      plugin_opts: fc.constantFrom('obfs=tls;obfs-host=h', 'tls;path=/a\\=b;mux=0', 'x'),
      udp_over_tcp: udpOverTcp,
      multiplex,
      shadow_tls: shadowTls,
    },
  ],
  vmess: [
    { uuid: filled, security: fc.constantFrom('auto', 'zero', 'aes-128-gcm') },
    { ...v2ray, alter_id: int, global_padding: yes },
  ],
  vless: [{ uuid: filled }, { ...v2ray, flow: fc.constant('xtls-rprx-vision'), encryption: word }],
  trojan: [{ password: filled }, { ...v2ray, shadow_tls: shadowTls }],
  hysteria2: [
    { tls },
    {
      password: filled,
      up_mbps: int,
      down_mbps: int,
      ...hopping,
      obfs: record({ type: fc.constant('salamander'), password: filled }),
      realm: record({ server_url: fc.constant('https://r.example.net'), token: filled, realm_id: filled }),
    },
  ],
  tuic: [
    { uuid: filled, password: text, tls },
    {
      congestion_control: fc.constantFrom('bbr', 'cubic'),
      udp_relay_mode: fc.constantFrom('native', 'quic'),
      heartbeat: duration,
      zero_rtt_handshake: yes,
    },
  ],
  wireguard: [
    { private_key: key, address: list(prefix), peers: fc.array(peer, { minLength: 1, maxLength: 2 }) },
    { mtu: int, listen_port: int, amnezia: record({ jc: fc.constant('4') }, { h1: fc.constant('5-9') }) },
  ],
  anytls: [
    { password: filled, tls },
    { idle_session_timeout: duration, min_idle_session: int },
  ],
  socks: [{ version: fc.constantFrom('4', '4a', '5') }, { ...login, udp_over_tcp: udpOverTcp, tls }],
  http: [{}, { ...login, tls, path: filled, headers }],
  ssh: [
    {},
    {
      user: filled,
      password: filled,
      private_key: key.map((body) => `-----BEGIN OPENSSH PRIVATE KEY-----\n${body}\n-----END OPENSSH PRIVATE KEY-----`),
      host_key: list(word),
    },
  ],
  naive: [
    { tls: record({ enabled: yes }, { server_name: host }) },
    { ...login, quic: yes, insecure_concurrency: fc.integer({ min: 1, max: 99 }), extra_headers: headers },
  ],
  hysteria: [
    { tls },
    {
      auth_str: filled,
      auth: filled,
      obfs: filled,
      up_mbps: int,
      down_mbps: int,
      ...hopping,
      recv_window: int,
      disable_mtu_discovery: yes,
      protocol: fc.constant('faketcp'),
    },
  ],
  snell: [
    { psk: filled },
    {
      version: fc.constantFrom(1, 4),
      obfs_mode: fc.constantFrom('http', 'tls'),
      obfs_host: host,
      reuse: yes,
      shadow_tls: shadowTls,
    },
  ],
  shadowsocksr: [
    { method: word, password: filled, protocol: word, obfs: word },
    { protocol_param: filled, obfs_param: filled },
  ],
  juicity: [
    { uuid: filled, password: filled, tls },
    { congestion_control: word, pin_cert_sha256: hex(32) },
  ],
  mieru: [
    { username: filled, password: filled, protocol: fc.constantFrom('TCP', 'UDP') },
    { server_ports: list(range), mtu: int },
  ],
  trusttunnel: [{}, { ...login, tls }],
  'h2-connect': [{}, { ...login, tls }],
  masque: [{}, login],
  sudoku: [{}, login],
  tailscale: [{}, login],
  'gost-relay': [{}, { ...login, tls }],
};

const shared: Fields = {
  network: fc.constant('tcp'),
  tcp_fast_open: yes,
  tcp_multi_path: yes,
  connect_timeout: duration,
  extra: fc.dictionary(
    fc.oneof(
      word,
      fc.constantFrom(
        ...traps.filter((trap) => trap !== ''),
        'a.b',
        'a',
        'peers.1.server',
        'sni',
        'type',
        'routing_mark',
      ),
    ),
    text,
    { minKeys: 1, maxKeys: 3, noNullPrototype: true },
  ),
};

/** A node of any type, with values that are hard to write; what a reader would never give is possible too. */
export const arbitraryNode: fc.Arbitrary<NodeFields & { readonly tag: string }> = fc
  .constantFrom(...nodeTypes)
  .chain((type) => {
    const [required, optional] = byType[type];
    return record(
      { type: fc.constant(type), server: host, server_port: int, tag: text, ...required },
      { ...optional, ...shared },
    );
  })
  .map((node) => node as unknown as NodeFields & { readonly tag: string });

/** Several nodes as a parser gives them: with ids and unique, clean tags; some dial through the one before. */
export const arbitraryNodes: fc.Arbitrary<readonly Node[]> = fc
  .array(fc.tuple(arbitraryNode, fc.integer({ min: 0, max: 5 })), { minLength: 1, maxLength: 4 })
  .map((items) => {
    const nodes: Node[] = [];
    for (const [fields, chance] of items) {
      const detour = chance === 0 ? nodes.at(-1)?.id : undefined;
      const whole = detour === undefined ? fields : { ...fields, detour };
      const tag = normaliseName(fields.tag) || normaliseName(`${fields.type}-${fields.server}-${fields.server_port}`);
      nodes.push({ ...whole, id: nodeId(whole, textHash(sha256)), tag });
    }
    return uniqueTags(nodes);
  });
