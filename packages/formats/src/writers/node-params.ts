import type { Node, NodeType, WireguardPeer } from '../node.ts';
import type { Params } from '../params.ts';
import {
  flagParam,
  listParam,
  multiplexParams,
  shadowTlsParams,
  tlsParams,
  transportParams,
  type ParamTable,
} from './stream-params.ts';

const v2ray = (node: Node): ParamTable => ({
  ...tlsParams(node.tls),
  ...transportParams(node),
  packetEncoding: node.packet_encoding === '' ? 'none' : node.packet_encoding,
});

/** TLS of protocols that are never without it. */
const ownTls = (node: Node): ParamTable => ({ ...tlsParams(node.tls), security: undefined });

const credentials = ({ username, password }: Node): ParamTable => ({ username, password });

const udpOverTcp = ({ udp_over_tcp: uot }: Node): ParamTable => {
  if (typeof uot === 'object') return { uot: flagParam(uot.enabled), uot_version: uot.version };
  return { uot: flagParam(uot) };
};

/** What each reader of `protocols` takes, from the node that it makes: the way back. */
const byType: Readonly<Partial<Record<NodeType, (node: Node) => ParamTable>>> = {
  shadowsocks: (node) => ({
    ...v2ray(node),
    method: node.method,
    password: node.password,
    plugin: node.plugin,
    plugin_opts: node.plugin_opts,
    ...udpOverTcp(node),
  }),
  vmess: (node) => ({
    ...v2ray(node),
    uuid: node.uuid,
    scy: node.security ?? 'auto',
    aid: node.alter_id,
    'global-padding': flagParam(node.global_padding),
    'authenticated-length': flagParam(node.authenticated_length),
  }),
  vless: (node) => ({ ...v2ray(node), uuid: node.uuid, flow: node.flow, encryption: node.encryption ?? 'none' }),
  trojan: (node) => ({ ...v2ray(node), password: node.password }),
  hysteria2: (node) => ({
    ...ownTls(node),
    password: node.password,
    up: node.up_mbps,
    down: node.down_mbps,
    mport: listParam(node.server_ports?.map(portRange)),
    'hop-interval': hopInterval(node),
    ...(typeof node.obfs === 'object'
      ? {
          obfs: node.obfs.type,
          'obfs-password': node.obfs.password,
          'obfs-min-packet-size': node.obfs.min_packet_size,
          'obfs-max-packet-size': node.obfs.max_packet_size,
        }
      : {}),
    'realm-server-url': node.realm?.server_url,
    'realm-token': node.realm?.token,
    'realm-id': node.realm?.realm_id,
    stun: listParam(node.realm?.stun_servers),
  }),
  tuic: (node) => ({
    ...ownTls(node),
    ...(node.version === '4' ? { version: '4', token: node.password } : { uuid: node.uuid, password: node.password }),
    congestion_control: node.congestion_control,
    udp_relay_mode: node.udp_relay_mode,
    udp_over_stream: flagParam(node.udp_over_stream),
    reduce_rtt: flagParam(node.zero_rtt_handshake),
    heartbeat: node.heartbeat,
  }),
  wireguard: wireguardParams,
  anytls: (node) => ({
    ...ownTls(node),
    password: node.password,
    'idle-session-check-interval': node.idle_session_check_interval,
    'idle-session-timeout': node.idle_session_timeout,
    'min-idle-session': node.min_idle_session,
  }),
  socks: (node) => ({
    ...tlsParams(node.tls),
    ...credentials(node),
    version: node.version ?? '5',
    ...udpOverTcp(node),
  }),
  ssh: (node) => ({
    username: node.user,
    password: node.password,
    private_key: node.private_key,
    private_key_passphrase: node.private_key_passphrase,
    host_key: listParam(node.host_key),
    host_key_algorithms: listParam(node.host_key_algorithms),
    client_version: node.client_version,
  }),
  naive: (node) => ({
    ...ownTls(node),
    ...credentials(node),
    'insecure-concurrency': node.insecure_concurrency,
    'extra-headers': headerLines(node.extra_headers),
    ...udpOverTcp(node),
    quic: flagParam(node.quic),
  }),
  hysteria: (node) => ({
    ...ownTls(node),
    auth: node.auth,
    auth_str: node.auth_str,
    ...(typeof node.obfs === 'string' ? { obfs: 'xplus', 'obfs-password': node.obfs } : {}),
    up: node.up_mbps,
    down: node.down_mbps,
    'recv-window-conn': node.recv_window_conn,
    'recv-window': node.recv_window,
    'disable-mtu-discovery': flagParam(node.disable_mtu_discovery),
    protocol: node.protocol,
    mport: listParam(node.server_ports?.map(portRange)),
    'hop-interval': hopInterval(node),
  }),
  snell: (node) => ({
    psk: node.psk,
    version: node.version,
    obfs: node.obfs_mode,
    'obfs-host': node.obfs_host,
    reuse: flagParam(node.reuse),
  }),
  shadowsocksr: (node) => ({
    method: node.method,
    password: node.password,
    protocol: node.protocol,
    'protocol-param': node.protocol_param,
    obfs: typeof node.obfs === 'string' ? node.obfs : undefined,
    'obfs-param': node.obfs_param,
  }),
  juicity: (node) => ({
    ...ownTls(node),
    uuid: node.uuid,
    password: node.password,
    congestion_control: node.congestion_control,
    pin_cert_sha256: node.pin_cert_sha256,
  }),
  mieru: (node) => ({
    ...credentials(node),
    protocol: node.protocol,
    mport: listParam(node.server_ports?.map(portRange)),
    mtu: node.mtu,
  }),
  trusttunnel: keptParams,
  'h2-connect': keptParams,
  masque: keptParams,
  sudoku: keptParams,
  tailscale: keptParams,
  'gost-relay': keptParams,
  http: (node) => ({
    ...tlsParams(node.tls),
    ...credentials(node),
    path: node.path,
    ...Object.fromEntries(Object.entries(node.headers ?? {}).map(([name, value]) => [`header.${name}`, value])),
  }),
};

/** Types of which only the usual fields are known; the others are in their `extra`. */
function keptParams(node: Node): ParamTable {
  return { ...tlsParams(node.tls), ...credentials(node) };
}

const headerLines = (headers: Node['extra_headers']): string | undefined =>
  headers === undefined
    ? undefined
    : Object.entries(headers)
        .map(([name, value]) => `${name}: ${value}`)
        .join('\r\n');

/** The first peer is flat, further ones are `peers.1.public_key` and so on. */
function wireguardParams(node: Node): ParamTable {
  const [peer, ...others] = node.peers ?? [];
  const more = others.flatMap((other, index) => {
    const table: ParamTable = { server: other.address, port: other.port, ...peerParams(other) };
    return Object.entries(table).map(([name, value]) => [`${peerPrefix}${index + 1}.${name}`, value] as const);
  });
  return {
    private_key: node.private_key,
    address: listParam(node.address),
    ...peerParams(peer),
    mtu: node.mtu,
    workers: node.workers,
    ...node.amnezia,
    ...Object.fromEntries(more),
  };
}

export const peerPrefix = 'peers.';

const peerParams = (peer: WireguardPeer | undefined): ParamTable => ({
  public_key: peer?.public_key,
  pre_shared_key: peer?.pre_shared_key,
  allowed_ips: listParam(peer?.allowed_ips),
  keepalive: peer?.persistent_keepalive_interval,
  reserved: peer?.reserved?.join(','),
});

const portRange = (range: string): string => {
  const [first, last] = range.split(':');
  return first === last || last === undefined ? (first ?? '') : `${first}-${last}`;
};

const seconds = (duration: string): string => duration.replace(/^(\d+)s$/, '$1');

const hopInterval = ({ hop_interval: min, hop_interval_max: max }: Node): string | undefined =>
  min === undefined ? undefined : [min, ...(max === undefined ? [] : [max])].map(seconds).join('-');

/** The settings of a node under their canonical names; undefined for a type that has no such form. */
export function nodeParams(node: Node): Params | undefined {
  const table = byType[node.type]?.(node);
  if (table === undefined) return undefined;
  const params: Params = new Map();
  const all: ParamTable = {
    server: node.server,
    port: node.server_port,
    ...table,
    ...multiplexParams(node.multiplex),
    ...shadowTlsParams(node.shadow_tls),
    udp: node.network === 'tcp' ? '0' : undefined,
    tfo: flagParam(node.tcp_fast_open),
    mptcp: flagParam(node.tcp_multi_path),
  };
  for (const [name, value] of Object.entries(all)) if (value !== undefined) params.set(name, String(value));
  return params;
}
