import { nodeTypes, transportTypes, type NodeType } from '../node.ts';

/** What a field must be. Loose in what it takes: a number as text, one item for a list; strict in what it gives. */
export type Shape =
  | 'text'
  | 'int'
  | 'flag'
  | 'texts'
  | 'lines'
  | 'ints3'
  | 'texts-by-name'
  | 'host'
  | 'flag-or-version'
  | { readonly fields: Fields }
  | { readonly listOf: Fields };

export type Fields = Readonly<Record<string, Shape>>;

const tls: Shape = {
  fields: {
    enabled: 'flag',
    server_name: 'text',
    disable_sni: 'flag',
    insecure: 'flag',
    alpn: 'texts',
    min_version: 'text',
    max_version: 'text',
    cipher_suites: 'texts',
    curve_preferences: 'texts',
    certificate: 'texts',
    certificate_public_key_sha256: 'texts',
    fragment: 'flag',
    fragment_fallback_delay: 'text',
    record_fragment: 'flag',
    utls: { fields: { enabled: 'flag', fingerprint: 'text' } },
    reality: { fields: { enabled: 'flag', public_key: 'text', short_id: 'text' } },
    ech: { fields: { enabled: 'flag', config: 'texts', query_server_name: 'text' } },
  },
};

const transport: Shape = {
  fields: {
    type: 'text',
    host: 'host',
    path: 'text',
    method: 'text',
    headers: 'texts-by-name',
    service_name: 'text',
    max_early_data: 'int',
    early_data_header_name: 'text',
    idle_timeout: 'text',
    ping_timeout: 'text',
    permit_without_stream: 'flag',
  },
};

const multiplex: Shape = {
  fields: {
    enabled: 'flag',
    protocol: 'text',
    max_connections: 'int',
    min_streams: 'int',
    max_streams: 'int',
    padding: 'flag',
    brutal: { fields: { enabled: 'flag', up_mbps: 'int', down_mbps: 'int' } },
  },
};

const server: Fields = { server: 'text', server_port: 'int' };
const dial: Fields = {
  tcp_fast_open: 'flag',
  tcp_multi_path: 'flag',
  udp_fragment: 'flag',
  connect_timeout: 'text',
};

/**
 * The fields of each type, except those that name files or interfaces of the machine the config was made on.
 * @see https://sing-box.sagernet.org/configuration/outbound/
 */
export const singBoxFields: Partial<Readonly<Record<NodeType, Fields>>> = {
  shadowsocks: {
    ...server,
    ...dial,
    method: 'text',
    password: 'text',
    plugin: 'text',
    plugin_opts: 'text',
    network: 'text',
    udp_over_tcp: 'flag-or-version',
    multiplex,
  },
  vmess: {
    ...server,
    ...dial,
    uuid: 'text',
    security: 'text',
    alter_id: 'int',
    global_padding: 'flag',
    authenticated_length: 'flag',
    network: 'text',
    packet_encoding: 'text',
    tls,
    transport,
    multiplex,
  },
  vless: {
    ...server,
    ...dial,
    uuid: 'text',
    flow: 'text',
    network: 'text',
    packet_encoding: 'text',
    tls,
    transport,
    multiplex,
  },
  trojan: { ...server, ...dial, password: 'text', network: 'text', tls, transport, multiplex },
  hysteria2: {
    ...server,
    ...dial,
    server_ports: 'texts',
    hop_interval: 'text',
    hop_interval_max: 'text',
    up_mbps: 'int',
    down_mbps: 'int',
    obfs: { fields: { type: 'text', password: 'text', min_packet_size: 'int', max_packet_size: 'int' } },
    password: 'text',
    realm: { fields: { server_url: 'text', token: 'text', realm_id: 'text', stun_servers: 'texts' } },
    network: 'text',
    tls,
  },
  tuic: {
    ...server,
    ...dial,
    uuid: 'text',
    password: 'text',
    congestion_control: 'text',
    udp_relay_mode: 'text',
    udp_over_stream: 'flag',
    zero_rtt_handshake: 'flag',
    heartbeat: 'text',
    network: 'text',
    tls,
  },
  wireguard: {
    mtu: 'int',
    address: 'texts',
    private_key: 'text',
    listen_port: 'int',
    udp_timeout: 'text',
    workers: 'int',
    peers: {
      listOf: {
        address: 'text',
        port: 'int',
        public_key: 'text',
        pre_shared_key: 'text',
        allowed_ips: 'texts',
        persistent_keepalive_interval: 'int',
        reserved: 'ints3',
      },
    },
  },
  anytls: {
    ...server,
    ...dial,
    password: 'text',
    idle_session_check_interval: 'text',
    idle_session_timeout: 'text',
    min_idle_session: 'int',
    tls,
  },
  socks: {
    ...server,
    ...dial,
    version: 'text',
    username: 'text',
    password: 'text',
    network: 'text',
    udp_over_tcp: 'flag-or-version',
  },
  http: { ...server, ...dial, username: 'text', password: 'text', path: 'text', headers: 'texts-by-name', tls },
  ssh: {
    ...server,
    ...dial,
    user: 'text',
    password: 'text',
    private_key: 'lines',
    private_key_passphrase: 'text',
    host_key: 'texts',
    host_key_algorithms: 'texts',
    client_version: 'text',
  },
  naive: {
    ...server,
    ...dial,
    username: 'text',
    password: 'text',
    insecure_concurrency: 'int',
    extra_headers: 'texts-by-name',
    udp_over_tcp: 'flag-or-version',
    quic: 'flag',
    quic_congestion_control: 'text',
    tls,
  },
  hysteria: {
    ...server,
    ...dial,
    server_ports: 'texts',
    hop_interval: 'text',
    up_mbps: 'int',
    down_mbps: 'int',
    obfs: 'text',
    auth: 'text',
    auth_str: 'text',
    recv_window_conn: 'int',
    recv_window: 'int',
    disable_mtu_discovery: 'flag',
    network: 'text',
    tls,
  },
  snell: {
    ...server,
    ...dial,
    version: 'int',
    psk: 'text',
    obfs_mode: 'text',
    obfs_host: 'text',
    reuse: 'flag',
    network: 'text',
  },
  shadowsocksr: {
    ...server,
    ...dial,
    method: 'text',
    password: 'text',
    obfs: 'text',
    obfs_param: 'text',
    protocol: 'text',
    protocol_param: 'text',
    network: 'text',
  },
};

/** The outbound that hides another one; it is no node of its own. */
export const shadowTlsFields: Fields = { ...server, version: 'int', password: 'text', tls };

/** What a node of a type cannot be without. */
export const requiredFields: Partial<Readonly<Record<NodeType, readonly string[]>>> = {
  shadowsocks: ['method'],
  vmess: ['uuid'],
  vless: ['uuid'],
  trojan: ['password'],
  tuic: ['uuid'],
  wireguard: ['private_key', 'address'],
  anytls: ['password'],
  snell: ['psk'],
  shadowsocksr: ['method', 'password'],
};

export const defaultPorts: Partial<Readonly<Record<NodeType, number>>> = { ssh: 22 };

/** Outbounds that leave without a proxy: dialling through one of them is dialling. */
export const directTypes: ReadonlySet<unknown> = new Set(['direct', 'bypass']);

/** Parts of a config that are no nodes, and what they are to somebody who dials through them. */
export const notNodes: ReadonlyMap<string, string> = new Map([
  ['direct', 'a direct outbound'],
  ['bypass', 'a direct outbound'],
  ['block', 'an outbound that blocks'],
  ['dns', 'the DNS outbound'],
  ['selector', 'a group'],
  ['urltest', 'a group'],
  ['loadbalance', 'a group'],
  ['balancer', 'a group'],
  ['shadowtls', 'a ShadowTLS outbound that cannot be used'],
]);

export const isNodeType = (type: string): type is NodeType => (nodeTypes as readonly string[]).includes(type);
export const isTransportType = (type: string): boolean => (transportTypes as readonly string[]).includes(type);
