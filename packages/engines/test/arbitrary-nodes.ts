import * as fc from 'fast-check';
import { nodeTypes, type Node, type NodeType } from '@sbox/formats';

export const key32 = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=';
export const key16 = 'AAECAwQFBgcICQoLDA0ODw==';
const uuid = '2dd61d93-75d8-4da4-ac0e-6aece7eac365';
const echConfigs = ['-----BEGIN ECH CONFIGS-----', 'AAAA', '-----END ECH CONFIGS-----'];

type Values = Readonly<Record<string, readonly unknown[]>>;

/** Objects with some of these fields; each field has one of its values, or one of what an arbitrary makes. */
const some = (
  values: Readonly<Record<string, readonly unknown[] | fc.Arbitrary<unknown>>>,
  required: readonly string[] = [],
) =>
  fc.record(
    Object.fromEntries(
      Object.entries(values).map(([key, of]) => [
        key,
        Array.isArray(of) ? fc.constantFrom(...of) : (of as fc.Arbitrary<unknown>),
      ]),
    ),
    { requiredKeys: [...required] },
  );

const bool = [true, false];
const words = ['x', 'a b', 'é "', 'example.test'];
const durations = ['30s', '1m30s', '1d', '500ms'];
const headers = [{}, { Host: 'a.test' }, { Host: 'a.test', 'X-A': 'b c' }];
const dialer: Values = { tcp_fast_open: bool, tcp_multi_path: bool, udp_fragment: bool, connect_timeout: durations };
const tlsValues: Values = {
  server_name: words,
  disable_sni: bool,
  insecure: bool,
  alpn: [[], ['h2'], ['h2', 'http/1.1']],
  min_version: ['1.2', '1.3'],
  max_version: ['1.3'],
  cipher_suites: [['TLS_AES_128_GCM_SHA256', 'TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA']],
  curve_preferences: [['X25519', 'P256']],
  certificate_public_key_sha256: [[key32]],
  fragment: bool,
  fragment_fallback_delay: durations,
  record_fragment: bool,
  ech: [
    { enabled: true },
    { enabled: true, config: echConfigs },
    { enabled: true, query_server_name: 'a.test' },
    { enabled: false },
  ],
};
const quicTls = some({ enabled: [true], ...tlsValues }, ['enabled']);
const fingerprints = [
  'chrome',
  'edge',
  'safari',
  '360',
  'qq',
  'ios',
  'android',
  'random',
  'chrome_psk',
  'chrome_pq_psk',
  'x',
];
const utls = [
  { enabled: true },
  { enabled: false, fingerprint: 'x' },
  ...fingerprints.map((fingerprint) => ({ enabled: true, fingerprint })),
];
const tls = fc.oneof(
  { weight: 3, arbitrary: some({ enabled: [true], ...tlsValues }, ['enabled']) },
  some({ enabled: [true], server_name: words, utls }, ['enabled']),
  fc.constant({
    enabled: true,
    utls: { enabled: true, fingerprint: 'firefox' },
    reality: { enabled: true, public_key: key32.slice(0, 43), short_id: '0123' },
  }),
);
const transport = fc.oneof(
  some({ type: ['ws'], path: ['/', '/a?b=c%20'], headers, max_early_data: [0, 2048], early_data_header_name: words }, [
    'type',
  ]),
  some(
    {
      type: ['http'],
      host: ['a.test', ['a.test', 'b.test']],
      path: ['/x'],
      method: ['GET'],
      headers,
      ping_timeout: durations,
    },
    ['type'],
  ),
  some({ type: ['grpc'], service_name: words, idle_timeout: durations, permit_without_stream: bool }, ['type']),
  some({ type: ['httpupgrade'], host: words, path: ['x'], headers }, ['type']),
  some({ type: ['quic', 'xhttp', 'mkcp'] }, ['type']),
);
const multiplex = some({
  enabled: bool,
  protocol: ['smux', 'yamux', 'h2mux'],
  max_connections: [0, 4],
  padding: bool,
  brutal: [{ enabled: false }, { enabled: true, up_mbps: 1, down_mbps: 100 }],
});
const v2ray = { tls, transport, multiplex, network: ['tcp', 'udp'], ...dialer };
const uot = [true, false, { enabled: true, version: 2 }, { enabled: false }];
const plugins = [
  { plugin: 'obfs-local', plugin_opts: 'obfs=http;obfs-host=a.test' },
  { plugin: 'obfs-local' },
  { plugin: 'v2ray-plugin', plugin_opts: 'tls;host=a.test;path=/a\\;b;mux=4' },
  { plugin: 'v2ray-plugin', plugin_opts: 'mode=quic;tls' },
  { plugin: 'xray-plugin' },
  {},
];
const ciphers = [
  { method: 'aes-256-gcm', password: 'x' },
  { method: 'none' },
  { method: 'rc4-md5', password: 'x' },
  { method: '2022-blake3-aes-128-gcm', password: `${key16}:${key16}` },
  { method: '2022-blake3-aes-256-gcm', password: key32 },
  { method: '2022-blake3-chacha20-poly1305', password: key32 },
];
const shadowTls = some({ version: [1, 2, 3], password: ['x'], tls }, ['version', 'tls']);
const peer = some(
  {
    address: ['a.test', '192.0.2.1', '2001:db8::1'],
    port: [51_820],
    public_key: [key32],
    pre_shared_key: [key32],
    allowed_ips: [['0.0.0.0/0', '::/0'], ['10.0.0.1/8']],
    persistent_keepalive_interval: [0, 25],
    reserved: [[1, 2, 255]],
  },
  ['address', 'port', 'public_key', 'allowed_ips'],
);

/** Nodes that an engine of the right build and version runs. */
const fieldsByType: Readonly<Record<NodeType, fc.Arbitrary<object>>> = {
  shadowsocks: fc
    .tuple(
      fc.constantFrom(...ciphers),
      fc.constantFrom(...plugins),
      some({ udp_over_tcp: uot, multiplex, network: ['tcp'], shadow_tls: shadowTls, ...dialer }),
    )
    .map(([cipher, plugin, rest]) => ({ ...cipher, ...plugin, ...rest })),
  vmess: some(
    {
      uuid: [uuid, 'x'],
      security: ['auto', 'none', 'zero', 'aes-128-gcm', 'chacha20-poly1305', 'aes-128-cfb'],
      alter_id: [0, 64],
      packet_encoding: ['', 'xudp', 'packetaddr'],
      global_padding: bool,
      ...v2ray,
    },
    ['uuid'],
  ),
  vless: some(
    {
      uuid: [uuid, 'x'],
      flow: ['xtls-rprx-vision'],
      encryption: ['mlkem768x25519plus.native.0rtt.x'],
      packet_encoding: ['', 'xudp'],
      shadow_tls: shadowTls,
      ...v2ray,
    },
    ['uuid'],
  ),
  trojan: some({ password: words, shadow_tls: shadowTls, ...v2ray }, ['password']),
  hysteria2: some(
    {
      password: words,
      up_mbps: [0, 100],
      down_mbps: [100],
      obfs: [
        { type: 'salamander', password: 'x' },
        { type: 'gecko', password: 'x', min_packet_size: 100, max_packet_size: 200 },
      ],
      server_ports: [['5000:6000', '443:443'], []],
      hop_interval: durations,
      hop_interval_max: ['2d'],
      realm: [{ server_url: 'https://r.test', token: 'x', realm_id: 'y', stun_servers: ['a.test:3478'] }],
      network: ['tcp'],
      tls: quicTls,
      ...dialer,
    },
    ['tls'],
  ),
  hysteria: some(
    {
      up_mbps: [10, 0],
      down_mbps: [100],
      obfs: ['x'],
      auth: ['AAAA'],
      auth_str: ['x'],
      server_ports: [['5000:6000']],
      hop_interval: durations,
      recv_window_conn: [1_000_000],
      recv_window: [4_000_000],
      disable_mtu_discovery: bool,
      tls: quicTls,
      ...dialer,
    },
    ['up_mbps', 'down_mbps', 'tls'],
  ),
  snell: some(
    {
      version: [3, 4, 5, 6, '4'],
      psk: ['x', 'a key that is long'],
      obfs_mode: ['http', 'tls', 'none', 'shadow-tls'],
      obfs_host: words,
      reuse: bool,
      shadow_tls: shadowTls,
      ...dialer,
    },
    ['version', 'psk'],
  ),
  shadowsocksr: fc.constant({ protocol: 'origin', obfs: 'plain' }),
  juicity: fc.constant({ uuid }),
  mieru: fc.constant({}),
  trusttunnel: fc.constant({}),
  'h2-connect': fc.constant({}),
  masque: fc.constant({}),
  sudoku: fc.constant({}),
  tailscale: fc.constant({}),
  'gost-relay': fc.constant({}),
  tuic: some(
    {
      uuid: [uuid],
      password: words,
      congestion_control: ['cubic', 'bbr', 'new_reno'],
      udp_relay_mode: ['native', 'quic'],
      udp_over_stream: bool,
      zero_rtt_handshake: bool,
      heartbeat: durations,
      tls: quicTls,
    },
    ['uuid', 'tls'],
  ),
  wireguard: some(
    {
      private_key: [key32],
      amnezia: [{ jc: '4' }],
      address: [['10.0.0.2/32', 'fd00::2/128'], ['::ffff:1.2.3.4/96']],
      peers: fc.array(peer, { minLength: 1, maxLength: 2 }),
      mtu: [1280],
      workers: [2],
      listen_port: [51_820],
      udp_timeout: durations,
    },
    ['private_key', 'address', 'peers'],
  ),
  anytls: some({ password: words, tls, idle_session_timeout: durations, min_idle_session: [0, 5], ...dialer }, [
    'password',
    'tls',
  ]),
  socks: some({
    version: ['4', '4a', '5'],
    username: words,
    password: words,
    network: ['tcp'],
    udp_over_tcp: uot,
    ...dialer,
  }),
  http: some({ username: words, password: words, path: ['/x'], headers, tls, ...dialer }),
  ssh: some({ user: words, password: words, host_key_algorithms: [['ssh-ed25519']], client_version: words, ...dialer }),
  naive: some({ username: words, password: words, tls: [{ enabled: true, server_name: 'a.test' }] }, ['tls']),
};

/** Right somewhere, wrong in most places; one a line. */
const strangeTexts = String.raw`
x
a b
%zz
none
auto
AES-256-GCM
chacha20
5
-1s
99999999h
1.4
reno
xtls-rprx-direct
packet
obfs=foo
mode=foo
mode=quic
;;
a=\
=b
mux=x
tls;cert=/nope
10.0.0.01/32
10.0.0.1
fd00::1/129
::1::/8
5000
6000:5000
:
abc
gecko
quic
xhttp
`.split('\n');
const strange: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom('', '\u0000', uuid, key32, key16, `${key32}:${key32}`, ...strangeTexts),
  fc.constantFrom<unknown>(-1, 0, 1, 1.5, 65_536, 4_294_967_296, 1e21, true, false, null),
  fc.constantFrom<unknown>([], ['x'], [null], {}, { enabled: true }, { type: 'ws' }),
);

interface Spot {
  readonly holder: Record<string, unknown>;
  readonly key: string;
}

const spotsOf = (value: object): Spot[] =>
  Object.entries(value).flatMap(([key, item]: [string, unknown]) => [
    { holder: value as Record<string, unknown>, key },
    ...(typeof item === 'object' && item !== null ? spotsOf(item) : []),
  ]);

/** Nodes as a careless source would have them: most are right, some have one or two strange values or fields. */
export const carelessNode: fc.Arbitrary<Node> = fc
  .tuple(
    fc.constantFrom(...nodeTypes).chain((type) => fc.tuple(fc.constant(type), fieldsByType[type])),
    fc.constantFrom('a.test', '192.0.2.1', '2001:db8::1'),
    fc.constantFrom('a', 'b', 'select', 'é "x"', '', 'direct'),
    // Few enough that nodes find others to dial through.
    fc.stringMatching(/^n_[a-d]{2}$/),
    fc.option(fc.stringMatching(/^n_[a-d]{2}$/), { nil: undefined, freq: 4 }),
    fc.oneof(
      { weight: 2, arbitrary: fc.constant([]) },
      fc.array(fc.tuple(fc.nat(), strange, fc.nat(9)), { maxLength: 2 }),
    ),
  )
  .map(([[type, fields], server, tag, id, detour, changes]) => {
    const way = detour === undefined ? {} : { detour };
    const body = structuredClone({ server, server_port: 443, ...way, ...fields });
    for (const [where, value, kind] of changes) {
      const spots = spotsOf(body);
      const spot = spots[where % spots.length];
      if (spot === undefined) continue;
      if (kind === 0 && !Array.isArray(spot.holder)) spot.holder['strange'] = structuredClone(value);
      else spot.holder[spot.key] = structuredClone(value);
    }
    return { id, tag, type, ...body };
  });
