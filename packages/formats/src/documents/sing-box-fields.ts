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
export const singBoxFields: Readonly<Record<NodeType, Fields>> = {
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
};

/** What a node of a type cannot be without. */
export const requiredFields: Readonly<Record<NodeType, readonly string[]>> = {
  shadowsocks: ['method'],
  vmess: ['uuid'],
  vless: ['uuid'],
  trojan: ['password'],
  hysteria2: [],
  tuic: ['uuid'],
  wireguard: ['private_key', 'address'],
  anytls: ['password'],
  socks: [],
  http: [],
  ssh: [],
  naive: [],
};

export const defaultPorts: Partial<Readonly<Record<NodeType, number>>> = { ssh: 22 };

/** Parts of a config that are no nodes. */
export const notNodes: ReadonlySet<string> = new Set(
  'direct block dns selector urltest bypass loadbalance balancer'.split(' '),
);

export const isNodeType = (type: string): type is NodeType => (nodeTypes as readonly string[]).includes(type);
export const isTransportType = (type: string): boolean => (transportTypes as readonly string[]).includes(type);
