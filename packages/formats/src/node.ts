/** Kinds that no sing-box can run; they are kept, so that they can be written again and other engines can take them. */
export const foreignTypes = [
  'shadowsocksr',
  'juicity',
  'mieru',
  'trusttunnel',
  'h2-connect',
  'masque',
  'sudoku',
  'tailscale',
  'gost-relay',
] as const;

/** The kinds of node that are read, under sing-box's names where it has one. */
export const nodeTypes = [
  'shadowsocks',
  'vmess',
  'vless',
  'trojan',
  'hysteria2',
  'tuic',
  'wireguard',
  'anytls',
  'socks',
  'http',
  'ssh',
  'naive',
  'hysteria',
  'snell',
  ...foreignTypes,
] as const;

export type NodeType = (typeof nodeTypes)[number];

/** sing-box's outbound TLS object, without the fields that name files of the machine it was written on. */
export interface Tls {
  readonly enabled: boolean;
  readonly server_name?: string;
  readonly disable_sni?: boolean;
  readonly insecure?: boolean;
  readonly alpn?: readonly string[];
  readonly min_version?: string;
  readonly max_version?: string;
  readonly cipher_suites?: readonly string[];
  readonly curve_preferences?: readonly string[];
  readonly certificate?: readonly string[];
  readonly certificate_public_key_sha256?: readonly string[];
  readonly fragment?: boolean;
  readonly fragment_fallback_delay?: string;
  readonly record_fragment?: boolean;
  readonly utls?: { readonly enabled: boolean; readonly fingerprint?: string };
  readonly reality?: { readonly enabled: boolean; readonly public_key: string; readonly short_id?: string };
  /** `config` is the PEM text by lines. */
  readonly ech?: {
    readonly enabled: boolean;
    readonly config?: readonly string[];
    readonly query_server_name?: string;
  };
}

export const transportTypes = ['ws', 'http', 'grpc', 'httpupgrade', 'quic', 'xhttp', 'mkcp'] as const;

/** sing-box's V2Ray transport; `xhttp` and `mkcp` are Xray's, which sing-box cannot run. */
export interface Transport {
  readonly type: (typeof transportTypes)[number];
  /** `http` takes a list, `httpupgrade` and `xhttp` one name; `ws` has it in `headers`. */
  readonly host?: string | readonly string[];
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly service_name?: string;
  readonly max_early_data?: number;
  readonly early_data_header_name?: string;
  readonly idle_timeout?: string;
  readonly ping_timeout?: string;
  readonly permit_without_stream?: boolean;
  /** xhttp: `auto`, `packet-up`, `stream-up`, `stream-one`. */
  readonly mode?: string;
  /** mkcp: what its packets look like. http: `http` when it is HTTP/1.1 inside TLS, where sing-box speaks HTTP/2. */
  readonly header_type?: string;
  /** mkcp: its password. */
  readonly seed?: string;
}

export interface Multiplex {
  readonly enabled: boolean;
  readonly protocol?: string;
  readonly max_connections?: number;
  readonly min_streams?: number;
  readonly max_streams?: number;
  readonly padding?: boolean;
  readonly brutal?: { readonly enabled: boolean; readonly up_mbps?: number; readonly down_mbps?: number };
}

/** hysteria2's packet obfuscation. */
export interface Obfs {
  readonly type: string;
  readonly password: string;
  readonly min_packet_size?: number;
  readonly max_packet_size?: number;
}

export interface WireguardPeer {
  readonly address: string;
  readonly port: number;
  readonly public_key: string;
  readonly pre_shared_key?: string;
  readonly allowed_ips: readonly string[];
  readonly persistent_keepalive_interval?: number;
  /** Three bytes. */
  readonly reserved?: readonly number[];
}

/**
 * ShadowTLS in front of a node: the camouflage that the node's own connection goes through. `server` and `server_port`
 * of the node are those of the ShadowTLS server. sing-box runs it as a second outbound that the node dials through.
 */
export interface ShadowTls {
  readonly version: 1 | 2 | 3;
  readonly password?: string;
  readonly tls: Tls;
}

/** hysteria2 found through a rendezvous server instead of an address. */
export interface Realm {
  readonly server_url: string;
  readonly token: string;
  readonly realm_id: string;
  readonly stun_servers?: readonly string[];
}

/** What a node of any type may carry, under sing-box's field names. Which of them are set depends on `type`. */
export interface NodeFields {
  readonly type: NodeType;
  /** Host name or IP address, IPv6 without brackets. wireguard: the first peer's. */
  readonly server: string;
  readonly server_port: number;

  readonly method?: string;
  readonly password?: string;
  /** shadowsocks: `obfs-local`, `v2ray-plugin`, or one that only other engines know. */
  readonly plugin?: string;
  /** SIP003 form: `key=value;flag`, with `\` before `;`, `=` and `\` in values. */
  readonly plugin_opts?: string;

  readonly uuid?: string;
  /** vmess: the cipher. */
  readonly security?: string;
  readonly alter_id?: number;
  readonly global_padding?: boolean;
  readonly authenticated_length?: boolean;
  readonly flow?: string;
  /** vless: `mlkem768x25519plus...`; sing-box has no such field and cannot run the node. */
  readonly encryption?: string;
  readonly packet_encoding?: string;

  readonly tls?: Tls;
  readonly transport?: Transport;
  readonly multiplex?: Multiplex;
  /** Only `tcp` or `udp`, and only when the source switched the other one off. */
  readonly network?: string;
  readonly tcp_fast_open?: boolean;
  readonly tcp_multi_path?: boolean;
  readonly udp_fragment?: boolean;
  readonly connect_timeout?: string;
  readonly udp_over_tcp?: boolean | { readonly enabled: boolean; readonly version?: number };

  readonly up_mbps?: number;
  readonly down_mbps?: number;
  /** hysteria2 has an object, hysteria a password, shadowsocksr the name of a method. */
  readonly obfs?: Obfs | string;
  readonly realm?: Realm;
  /** hysteria: base64; `auth_str` is the same as text. */
  readonly auth?: string;
  readonly auth_str?: string;
  readonly recv_window_conn?: number;
  readonly recv_window?: number;
  readonly disable_mtu_discovery?: boolean;

  /** shadowsocksr: the method of its protocol layer; mieru: `TCP` or `UDP`; hysteria: what it hides in instead of UDP. */
  readonly protocol?: string;
  /** shadowsocksr: the parameters of both layers. */
  readonly protocol_param?: string;
  readonly obfs_param?: string;

  /** snell: the shared key, and how its packets look (`http`, `tls`). */
  readonly psk?: string;
  readonly obfs_mode?: string;
  readonly obfs_host?: string;
  readonly reuse?: boolean;

  readonly shadow_tls?: ShadowTls;
  /** hysteria2: ranges as `5000:6000`. */
  readonly server_ports?: readonly string[];
  readonly hop_interval?: string;
  readonly hop_interval_max?: string;

  readonly congestion_control?: string;
  readonly udp_relay_mode?: string;
  readonly udp_over_stream?: boolean;
  readonly zero_rtt_handshake?: boolean;
  readonly heartbeat?: string;

  readonly idle_session_check_interval?: string;
  readonly idle_session_timeout?: string;
  readonly min_idle_session?: number;

  readonly username?: string;
  /** socks: `4`, `4a` or `5`; snell: a number; tuic: `4` for the older version, whose token is the password. */
  readonly version?: string | number;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;

  readonly user?: string;
  /** ssh: PEM text; wireguard: base64. */
  readonly private_key?: string;
  readonly private_key_passphrase?: string;
  readonly host_key?: readonly string[];
  readonly host_key_algorithms?: readonly string[];
  readonly client_version?: string;

  readonly quic?: boolean;
  readonly quic_congestion_control?: string;
  readonly insecure_concurrency?: number;
  readonly extra_headers?: Readonly<Record<string, string>>;

  /** wireguard: the tunnel's own addresses, with prefix length. */
  readonly address?: readonly string[];
  readonly peers?: readonly WireguardPeer[];
  readonly mtu?: number;
  readonly listen_port?: number;
  readonly workers?: number;
  readonly udp_timeout?: string;
  /** juicity: SHA-256 of the certificate chain. */
  readonly pin_cert_sha256?: string;
  /** AmneziaWG: `jc`, `s1`, `h1`, `i1` and so on, under their small letters. */
  readonly amnezia?: Readonly<Record<string, string>>;

  /** The id of the node of the same list that this one dials through. */
  readonly detour?: string;

  /** What the source said and sing-box has no field for, under the source's names. */
  readonly extra?: Readonly<Record<string, string>>;
  /** May be open only once at a time: a second start with the same key stops the first. */
  readonly once?: true;
}

/** One proxy endpoint: an outbound of sing-box (`wireguard`: an endpoint), with an id that outlives its name. */
export interface Node extends NodeFields {
  /** `n_` and 16 characters; a hash of what the node is, never of its name. */
  readonly id: string;
  /** The name; unique within one parsed subscription. */
  readonly tag: string;
}

/**
 * A node while it is being read: the name and the `detour` as the source wrote them, the id empty. It has a place for
 * the id already, so that the draft itself becomes the node: a copy of each would cost more than its hash.
 */
export type NodeDraft = { -readonly [Key in keyof NodeFields]: NodeFields[Key] } & { id?: string; tag?: string };
