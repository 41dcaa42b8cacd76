import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';

type Json = Record<string, unknown>;

/** What servers of one run share: made anew each time, so that nothing old can answer. */
export interface Secrets {
  readonly password: string;
  readonly uuid: string;
  readonly key16: string;
  readonly key32: string;
  readonly tls: Json;
  readonly reality: { readonly privateKey: string; readonly publicKey: string; readonly shortId: string };
}

/** One protocol as a server speaks it, and as a subscription writes it. */
export interface ProtocolCase {
  readonly name: string;
  /** How many ports the server's side takes; 1 unless it says otherwise. */
  readonly ports?: number;
  readonly inbounds: (secrets: Secrets, ports: readonly number[]) => readonly Json[];
  /** A share link, or one entry of Clash YAML as JSON where the protocol has no link. */
  readonly entry: (secrets: Secrets, port: number) => string | Json;
  /** Least 1.x of the client; the server is the newest there is. */
  readonly since?: number;
  readonly tag?: string;
}

const host = 'example.test';
const sniQuery = `sni=${host}&allowInsecure=1`;
const at = (port: number): string => `127.0.0.1:${port}`;
const b64 = (text: string): string => Buffer.from(text).toString('base64');

const realityKeys = (): Secrets['reality'] => {
  const { d = '', x = '' } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' });
  return { privateKey: d, publicKey: x, shortId: randomBytes(4).toString('hex') };
};

export const createSecrets = (certificate: { certificatePem: string; keyPem: string }): Secrets => ({
  password: randomBytes(12).toString('base64url'),
  uuid: randomUUID(),
  key16: randomBytes(16).toString('base64'),
  key32: randomBytes(32).toString('base64'),
  tls: {
    enabled: true,
    server_name: host,
    certificate: certificate.certificatePem.trim().split('\n'),
    key: certificate.keyPem.trim().split('\n'),
  },
  reality: realityKeys(),
});

const users = (fields: Json): Json => ({ users: [{ name: 'demo', ...fields }] });

const vmessLink = ({ uuid }: Secrets, port: number, fields: Json = {}): string =>
  `vmess://${b64(JSON.stringify({ v: '2', ps: '', add: '127.0.0.1', port: String(port), id: uuid, aid: 0, ...fields }))}`;

/** A case whose server is one inbound. */
const one = (
  name: string,
  inbound: (secrets: Secrets) => Json,
  entry: ProtocolCase['entry'],
  more: Pick<ProtocolCase, 'since' | 'tag'> = {},
): ProtocolCase => ({
  name,
  inbounds: (secrets, [port]) => [{ listen_port: port, ...inbound(secrets) }],
  entry,
  ...more,
});

const shadowsocks = (method: string, key: (secrets: Secrets) => string): ProtocolCase =>
  one(
    `shadowsocks ${method}`,
    (secrets) => ({ type: 'shadowsocks', method, password: key(secrets) }),
    (secrets, port) => `ss://${method}:${encodeURIComponent(key(secrets))}@${at(port)}`,
  );

const ws = { transport: { type: 'ws', path: '/way' } };
const upgrade = { transport: { type: 'httpupgrade', path: '/way' } };
const grpc = { transport: { type: 'grpc', service_name: 'way' } };

/** Every protocol that sing-box can both serve and dial, with the transports and layers that change its packets. */
export const protocolCases: readonly ProtocolCase[] = [
  shadowsocks('aes-128-gcm', ({ password }) => password),
  shadowsocks('chacha20-ietf-poly1305', ({ password }) => password),
  shadowsocks('2022-blake3-aes-128-gcm', ({ key16 }) => key16),
  shadowsocks('2022-blake3-chacha20-poly1305', ({ key32 }) => key32),
  one(
    'shadowsocks with multiplexing',
    ({ password }) => ({ type: 'shadowsocks', method: 'aes-256-gcm', password, multiplex: { enabled: true } }),
    ({ password }, port) => ({
      name: '',
      type: 'ss',
      server: '127.0.0.1',
      port,
      cipher: 'aes-256-gcm',
      password,
      smux: {
        enabled: true,
        protocol: 'h2mux',
        'max-connections': 2,
      },
    }),
  ),
  {
    name: 'shadowsocks behind ShadowTLS 3',
    ports: 2,
    inbounds: ({ password, tls }, [front, inner]) => [
      {
        type: 'shadowtls',
        version: 3,
        listen_port: front,
        ...users({ password }),
        strict_mode: true,
        handshake: {
          server: '127.0.0.1',
          server_port: inner,
        },
        detour: 'behind',
      },
      { type: 'trojan', tag: 'face', listen_port: inner, ...users({ password }), tls },
      { type: 'shadowsocks', tag: 'behind', listen_port: 0, method: 'aes-128-gcm', password },
    ],
    entry: ({ password }, port) => ({
      name: '',
      type: 'ss',
      server: '127.0.0.1',
      port,
      cipher: 'aes-128-gcm',
      password,
      plugin: 'shadow-tls',
      'plugin-opts': {
        host,
        password,
        version: 3,
        'skip-cert-verify': true,
      },
    }),
  },
  one(
    'vmess',
    ({ uuid }) => ({ type: 'vmess', ...users({ uuid }) }),
    (secrets, port) => vmessLink(secrets, port, { net: 'tcp' }),
  ),
  one(
    'vmess over WebSocket',
    ({ uuid }) => ({ type: 'vmess', ...users({ uuid }), ...ws }),
    (secrets, port) => vmessLink(secrets, port, { net: 'ws', path: '/way', host }),
  ),
  one(
    'vmess over WebSocket and TLS',
    ({ uuid, tls }) => ({ type: 'vmess', ...users({ uuid }), tls, ...ws }),
    ({ uuid }, port) =>
      `vmess://${uuid}@${at(port)}?encryption=auto&security=tls&${sniQuery}&type=ws&path=%2Fway&host=${host}`,
  ),
  one(
    'vmess over HTTP/2 and TLS',
    ({ uuid, tls }) => ({ type: 'vmess', ...users({ uuid }), tls, transport: { type: 'http', path: '/way' } }),
    ({ uuid }, port) => `vmess://${uuid}@${at(port)}?security=tls&${sniQuery}&type=http&path=%2Fway&host=${host}`,
  ),
  one(
    'vless over TLS',
    ({ uuid, tls }) => ({ type: 'vless', ...users({ uuid }), tls }),
    ({ uuid }, port) => `vless://${uuid}@${at(port)}?encryption=none&security=tls&${sniQuery}`,
  ),
  one(
    'vless with vision',
    ({ uuid, tls }) => ({ type: 'vless', ...users({ uuid, flow: 'xtls-rprx-vision' }), tls }),
    ({ uuid }, port) => `vless://${uuid}@${at(port)}?security=tls&${sniQuery}&flow=xtls-rprx-vision`,
  ),
  one(
    'vless over HTTPUpgrade',
    ({ uuid }) => ({ type: 'vless', ...users({ uuid }), ...upgrade }),
    ({ uuid }, port) => `vless://${uuid}@${at(port)}?security=none&type=httpupgrade&path=%2Fway&host=${host}`,
  ),
  one(
    'vless over gRPC and TLS',
    ({ uuid, tls }) => ({ type: 'vless', ...users({ uuid }), tls, ...grpc }),
    ({ uuid }, port) => `vless://${uuid}@${at(port)}?security=tls&${sniQuery}&type=grpc&serviceName=way`,
  ),
  one(
    'vless over QUIC',
    ({ uuid, tls }) => ({ type: 'vless', ...users({ uuid }), tls, transport: { type: 'quic' } }),
    ({ uuid }, port) => `vless://${uuid}@${at(port)}?security=tls&${sniQuery}&type=quic`,
    { tag: 'with_quic' },
  ),
  {
    name: 'vless with REALITY and vision',
    ports: 2,
    tag: 'with_utls',
    inbounds: ({ uuid, tls, password, reality }, [port, face]) => [
      {
        type: 'vless',
        listen_port: port,
        ...users({
          uuid,
          flow: 'xtls-rprx-vision',
        }),
        tls: {
          enabled: true,
          server_name: host,
          reality: {
            enabled: true,
            handshake: {
              server: '127.0.0.1',
              server_port: face,
            },
            private_key: reality.privateKey,
            short_id: [reality.shortId],
          },
        },
      },
      { type: 'trojan', tag: 'mask', listen_port: face, ...users({ password }), tls },
    ],
    entry: ({ uuid, reality: { publicKey, shortId } }, port) =>
      `vless://${uuid}@${at(port)}?security=reality&sni=${host}&fp=chrome&pbk=${publicKey}&sid=${shortId}&flow=xtls-rprx-vision`,
  },
  one(
    'trojan',
    ({ password, tls }) => ({ type: 'trojan', ...users({ password }), tls }),
    ({ password }, port) => `trojan://${password}@${at(port)}?${sniQuery}`,
  ),
  one(
    'trojan over WebSocket',
    ({ password, tls }) => ({ type: 'trojan', ...users({ password }), tls, ...ws }),
    ({ password }, port) => `trojan://${password}@${at(port)}?${sniQuery}&type=ws&path=%2Fway&host=${host}`,
  ),
  one(
    'hysteria',
    ({ password, tls }) => ({
      type: 'hysteria',
      users: [{ auth_str: password }],
      up_mbps: 100,
      down_mbps: 100,
      obfs: 'mask',
      tls: {
        ...tls,
        alpn: ['hysteria'],
      },
    }),
    ({ password }, port) =>
      `hysteria://${at(port)}?auth=${password}&peer=${host}&insecure=1&upmbps=50&downmbps=50&alpn=hysteria&obfs=xplus&obfsParam=mask`,
    { tag: 'with_quic' },
  ),
  one(
    'hysteria2',
    ({ password, tls }) => ({ type: 'hysteria2', ...users({ password }), tls }),
    ({ password }, port) => `hysteria2://${password}@${at(port)}?sni=${host}&insecure=1`,
    { tag: 'with_quic' },
  ),
  one(
    'hysteria2 with salamander',
    ({ password, tls }) => ({
      type: 'hysteria2',
      ...users({ password }),
      tls,
      obfs: {
        type: 'salamander',
        password: 'mask',
      },
    }),
    ({ password }, port) => `hy2://${password}@${at(port)}?sni=${host}&insecure=1&obfs=salamander&obfs-password=mask`,
    { tag: 'with_quic' },
  ),
  one(
    'tuic',
    ({ uuid, password, tls }) => ({
      type: 'tuic',
      ...users({
        uuid,
        password,
      }),
      congestion_control: 'bbr',
      tls: {
        ...tls,
        alpn: ['h3'],
      },
    }),
    ({ uuid, password }, port) =>
      `tuic://${uuid}:${password}@${at(port)}?sni=${host}&allow_insecure=1&alpn=h3&congestion_control=bbr`,
    { tag: 'with_quic' },
  ),
  one(
    'anytls',
    ({ password, tls }) => ({ type: 'anytls', ...users({ password }), tls }),
    ({ password }, port) => `anytls://${password}@${at(port)}?sni=${host}&insecure=1`,
    { since: 12 },
  ),
  one(
    'snell',
    ({ password }) => ({ type: 'snell', version: 5, psk: password }),
    ({ password }, port) => ({ name: '', type: 'snell', server: '127.0.0.1', port, psk: password, version: 4 }),
    { since: 14 },
  ),
  one(
    'socks5 with a password',
    ({ password }) => ({ type: 'socks', users: [{ username: 'demo', password }] }),
    ({ password }, port) => `socks5://demo:${password}@${at(port)}`,
  ),
  one(
    'http with a password',
    ({ password }) => ({ type: 'http', users: [{ username: 'demo', password }] }),
    ({ password }, port) => `http://demo:${password}@${at(port)}`,
  ),
  one(
    'http over TLS',
    ({ password, tls }) => ({ type: 'http', users: [{ username: 'demo', password }], tls }),
    ({ password }, port) => `https://demo:${password}@${at(port)}?sni=${host}&allowInsecure=1`,
  ),
];
