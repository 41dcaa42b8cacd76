import type { NodeType, Transport } from '../node.ts';

/** How a setting is written in YAML. */
export type ClashKind = 'text' | 'int' | 'flag' | 'texts' | 'seconds' | 'milliseconds' | 'ints' | 'base64';

/** The key (nested maps with dots) and the kind of each setting, by canonical name. */
export type ClashNames = Readonly<Record<string, readonly [string, ClashKind]>>;

/** What mihomo calls the types. @see https://wiki.metacubex.one/en/config/proxies/ */
export const clashTypeNames: Readonly<Partial<Record<NodeType, string>>> = {
  shadowsocks: 'ss',
  vmess: 'vmess',
  vless: 'vless',
  trojan: 'trojan',
  hysteria2: 'hysteria2',
  tuic: 'tuic',
  wireguard: 'wireguard',
  anytls: 'anytls',
  socks: 'socks5',
  http: 'http',
  ssh: 'ssh',
  hysteria: 'hysteria',
  snell: 'snell',
  shadowsocksr: 'ssr',
  mieru: 'mieru',
  // Since 2026; an older mihomo refuses a configuration with them.
  trusttunnel: 'trusttunnel',
  masque: 'masque',
  sudoku: 'sudoku',
  tailscale: 'tailscale',
};

/** What every proxy has. */
export const commonNames: ClashNames = {
  server: ['server', 'text'],
  port: ['port', 'int'],
  udp: ['udp', 'flag'],
  tfo: ['tfo', 'flag'],
  mptcp: ['mptcp', 'flag'],
};
const password: ClashNames = { password: ['password', 'text'] };
const login: ClashNames = { username: ['username', 'text'], ...password };
const user: ClashNames = { uuid: ['uuid', 'text'] };

export const multiplexNames: ClashNames = {
  'smux.enabled': ['smux.enabled', 'flag'],
  'smux.protocol': ['smux.protocol', 'text'],
  'smux.max-connections': ['smux.max-connections', 'int'],
  'smux.min-streams': ['smux.min-streams', 'int'],
  'smux.max-streams': ['smux.max-streams', 'int'],
  'smux.padding': ['smux.padding', 'flag'],
  'smux.brutal-opts.enabled': ['smux.brutal-opts.enabled', 'flag'],
  'smux.brutal-opts.up': ['smux.brutal-opts.up', 'text'],
  'smux.brutal-opts.down': ['smux.brutal-opts.down', 'text'],
};

export const tlsNames: ClashNames = {
  security: ['tls', 'flag'],
  sni: ['sni', 'text'],
  insecure: ['skip-cert-verify', 'flag'],
  disable_sni: ['disable-sni', 'flag'],
  alpn: ['alpn', 'texts'],
  fp: ['client-fingerprint', 'text'],
  pbk: ['reality-opts.public-key', 'text'],
  sid: ['reality-opts.short-id', 'text'],
  ech: ['ech-opts.config', 'base64'],
  ech_query_name: ['ech-opts.query-server-name', 'text'],
};

const v2ray: ClashNames = {
  ...commonNames,
  ...multiplexNames,
  ...tlsNames,
  packetEncoding: ['packet-encoding', 'text'],
};

/** ShadowTLS as a plugin; mihomo has it for Shadowsocks, other programs of this form for more types. */
export const shadowTlsPlugin: ClashNames = {
  'shadow-tls.host': ['plugin-opts.host', 'text'],
  'shadow-tls.password': ['plugin-opts.password', 'text'],
  'shadow-tls.version': ['plugin-opts.version', 'int'],
  'shadow-tls.alpn': ['plugin-opts.alpn', 'texts'],
  'shadow-tls.fp': ['plugin-opts.client-fingerprint', 'text'],
  'shadow-tls.insecure': ['plugin-opts.skip-cert-verify', 'flag'],
};

export const clashNames: Readonly<Partial<Record<NodeType, ClashNames>>> = {
  shadowsocks: {
    ...password,
    ...commonNames,
    ...multiplexNames,
    method: ['cipher', 'text'],
    uot: ['udp-over-tcp', 'flag'],
    uot_version: ['udp-over-tcp-version', 'int'],
    'shadow-tls.fp': ['client-fingerprint', 'text'],
  },
  vmess: {
    ...user,
    ...v2ray,
    sni: ['servername', 'text'],
    scy: ['cipher', 'text'],
    aid: ['alterId', 'int'],
    'global-padding': ['global-padding', 'flag'],
    'authenticated-length': ['authenticated-length', 'flag'],
  },
  vless: { ...user, ...v2ray, sni: ['servername', 'text'], flow: ['flow', 'text'], encryption: ['encryption', 'text'] },
  trojan: { ...password, ...v2ray },
  hysteria2: {
    ...password,
    ...commonNames,
    ...tlsNames,
    up: ['up', 'text'],
    down: ['down', 'text'],
    mport: ['ports', 'text'],
    'hop-interval': ['hop-interval', 'seconds'],
    obfs: ['obfs', 'text'],
    'obfs-password': ['obfs-password', 'text'],
    'obfs-min-packet-size': ['obfs-min-packet-size', 'int'],
    'obfs-max-packet-size': ['obfs-max-packet-size', 'int'],
    'realm-enable': ['realm-opts.enable', 'flag'],
    'realm-server-url': ['realm-opts.server-url', 'text'],
    'realm-token': ['realm-opts.token', 'text'],
    'realm-id': ['realm-opts.realm-id', 'text'],
    stun: ['realm-opts.stun-servers', 'texts'],
  },
  tuic: {
    ...user,
    ...password,
    ...commonNames,
    ...tlsNames,
    token: ['token', 'text'],
    congestion_control: ['congestion-controller', 'text'],
    udp_relay_mode: ['udp-relay-mode', 'text'],
    udp_over_stream: ['udp-over-stream', 'flag'],
    reduce_rtt: ['reduce-rtt', 'flag'],
    heartbeat: ['heartbeat-interval', 'milliseconds'],
  },
  wireguard: {
    ...commonNames,
    dns: ['dns', 'texts'],
    ip: ['ip', 'text'],
    ipv6: ['ipv6', 'text'],
    private_key: ['private-key', 'text'],
    public_key: ['public-key', 'text'],
    pre_shared_key: ['pre-shared-key', 'text'],
    allowed_ips: ['allowed-ips', 'texts'],
    keepalive: ['persistent-keepalive', 'int'],
    reserved: ['reserved', 'ints'],
    mtu: ['mtu', 'int'],
    workers: ['workers', 'int'],
  },
  anytls: {
    ...password,
    ...commonNames,
    ...tlsNames,
    'idle-session-check-interval': ['idle-session-check-interval', 'seconds'],
    'idle-session-timeout': ['idle-session-timeout', 'seconds'],
    'min-idle-session': ['min-idle-session', 'int'],
  },
  socks: {
    ...login,
    ...commonNames,
    ...tlsNames,
    uot: ['udp-over-tcp', 'flag'],
    uot_version: ['udp-over-tcp-version', 'int'],
  },
  http: { ...login, ...commonNames, ...tlsNames, path: ['path', 'text'] },
  ssh: {
    ...login,
    ...commonNames,
    private_key: ['private-key', 'text'],
    private_key_passphrase: ['private-key-passphrase', 'text'],
    host_key: ['host-key', 'texts'],
    host_key_algorithms: ['host-key-algorithms', 'texts'],
    client_version: ['client-version', 'text'],
  },
  hysteria: {
    ...commonNames,
    ...tlsNames,
    auth_str: ['auth-str', 'text'],
    auth: ['auth', 'text'],
    'obfs-password': ['obfs', 'text'],
    protocol: ['protocol', 'text'],
    up: ['up', 'text'],
    down: ['down', 'text'],
    mport: ['ports', 'text'],
    'hop-interval': ['hop-interval', 'seconds'],
    'recv-window-conn': ['recv-window-conn', 'int'],
    'recv-window': ['recv-window', 'int'],
    'disable-mtu-discovery': ['disable_mtu_discovery', 'flag'],
  },
  snell: {
    ...commonNames,
    psk: ['psk', 'text'],
    version: ['version', 'int'],
    obfs: ['obfs-opts.mode', 'text'],
    'obfs-host': ['obfs-opts.host', 'text'],
    reuse: ['reuse', 'flag'],
  },
  shadowsocksr: {
    ...password,
    ...commonNames,
    method: ['cipher', 'text'],
    protocol: ['protocol', 'text'],
    'protocol-param': ['protocol-param', 'text'],
    obfs: ['obfs', 'text'],
    'obfs-param': ['obfs-param', 'text'],
  },
  mieru: {
    ...login,
    ...commonNames,
    protocol: ['transport', 'text'],
    mport: ['port-range', 'text'],
    mtu: ['mtu', 'int'],
  },
  trusttunnel: { ...login, ...commonNames, ...tlsNames },
  masque: { ...login, ...commonNames },
  sudoku: { ...login, ...commonNames },
  tailscale: { ...login, ...commonNames },
};

/** The same settings stand elsewhere in each transport. */
export const clashTransports: Readonly<Record<Transport['type'], ClashNames>> = {
  ws: {
    path: ['ws-opts.path', 'text'],
    host: ['ws-opts.headers.Host', 'text'],
    ed: ['ws-opts.max-early-data', 'int'],
    eh: ['ws-opts.early-data-header-name', 'text'],
  },
  httpupgrade: { path: ['ws-opts.path', 'text'], host: ['ws-opts.headers.Host', 'text'] },
  http: { path: ['h2-opts.path', 'text'], host: ['h2-opts.host', 'texts'] },
  grpc: { serviceName: ['grpc-opts.grpc-service-name', 'text'] },
  quic: {},
  xhttp: { path: ['xhttp-opts.path', 'text'], host: ['xhttp-opts.host', 'text'], mode: ['xhttp-opts.mode', 'text'] },
  mkcp: {},
};

/** HTTP/1.1 camouflage, where path and host are lists. */
export const clashHttp: ClashNames = {
  method: ['http-opts.method', 'text'],
  path: ['http-opts.path', 'texts'],
  host: ['http-opts.headers.Host', 'texts'],
};
