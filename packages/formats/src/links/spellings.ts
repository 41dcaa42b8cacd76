import { spellings } from '../params.ts';

/** What share links call the settings of name, TLS, transport and dialling. */
const stream = {
  name: ['remarks', 'remark'],
  security: ['tls'],
  sni: ['peer', 'servername', 'server_name'],
  insecure: ['allowInsecure', 'allow_insecure', 'allow-insecure', 'skip-cert-verify', 'skip_cert_verify'],
  disable_sni: ['disable-sni'],
  alpn: [],
  fp: ['client-fingerprint', 'client_fingerprint'],
  pbk: ['public-key', 'publicKey'],
  sid: ['short-id', 'shortId'],
  ech: [],
  type: ['net'],
  host: [],
  path: [],
  serviceName: ['service_name', 'service-name'],
  headerType: [],
  method: [],
  mode: [],
  seed: [],
  ed: [],
  eh: [],
  tfo: ['fast-open', 'fastopen', 'tcp-fast-open', 'tcp_fast_open'],
  mptcp: [],
  udp: [],
  packetEncoding: ['packet-encoding', 'packet_encoding'],
  flow: [],
  encryption: [],
} as const;

export const streamSpellings = spellings(stream);

export const shadowsocksSpellings = spellings({
  ...stream,
  uot: ['udp-over-tcp', 'udp_over_tcp'],
  uot_version: ['udp-over-tcp-version', 'udp_over_tcp_version'],
  plugin: [],
});

export const vmessSpellings = spellings({ ...stream, scy: ['encryption'], encryption: [], aid: ['alterId'] });

export const trojanSpellings = spellings({ ...stream, path: ['wspath'] });

export const hysteria2Spellings = spellings({
  ...stream,
  obfs: [],
  'obfs-password': ['obfs_password', 'obfsPassword'],
  'obfs-min-packet-size': ['minPacketSize', 'min_packet_size', 'min-packet-size'],
  'obfs-max-packet-size': ['maxPacketSize', 'max_packet_size', 'max-packet-size'],
  mport: ['ports', 'server_ports'],
  'hop-interval': ['hop_interval', 'hopInterval'],
  up: ['upmbps', 'up_mbps'],
  down: ['downmbps', 'down_mbps'],
  password: ['auth'],
  stun: ['stun_servers', 'stun-servers'],
  // QUIC has no TCP to open fast: the word stays in `extra`.
  tfo: [],
});

export const hysteriaSpellings = spellings({
  ...stream,
  auth_str: ['auth', 'auth-str'],
  obfs: [],
  'obfs-password': ['obfsParam', 'obfs_password', 'obfs-param'],
  protocol: [],
  up: ['upmbps', 'up_mbps', 'up-mbps'],
  down: ['downmbps', 'down_mbps', 'down-mbps'],
  mport: ['ports', 'server_ports'],
  'hop-interval': ['hop_interval', 'hopInterval'],
  'recv-window-conn': ['recv_window_conn'],
  'recv-window': ['recv_window'],
  'disable-mtu-discovery': ['disable_mtu_discovery'],
  tfo: [],
});

export const tuicSpellings = spellings({
  ...stream,
  congestion_control: ['congestion-control', 'congestion_controller', 'congestion-controller', 'congestionControl'],
  udp_relay_mode: ['udp-relay-mode', 'udpRelayMode'],
  udp_over_stream: ['udp-over-stream'],
  reduce_rtt: ['reduce-rtt', 'zero_rtt_handshake', 'zero-rtt-handshake', 'zero_rtt'],
  heartbeat: ['heartbeat_interval', 'heartbeat-interval'],
  version: ['v'],
  token: [],
});

export const wireguardSpellings = spellings({
  name: ['remarks', 'remark'],
  private_key: ['privatekey', 'private-key', 'pk', 'secretkey'],
  public_key: ['publickey', 'public-key', 'peer_public_key', 'peer-public-key', 'peerPublicKey'],
  pre_shared_key: ['presharedkey', 'preshared-key', 'pre-shared-key', 'psk'],
  address: ['ip', 'local_address', 'local-address', 'localAddress'],
  allowed_ips: ['allowed-ips', 'allowedips'],
  keepalive: ['persistent-keepalive', 'persistentkeepalive', 'persistent_keepalive'],
  reserved: [],
  mtu: [],
  workers: [],
});

export const anytlsSpellings = spellings({
  ...stream,
  'idle-session-check-interval': ['idle_session_check_interval'],
  'idle-session-timeout': ['idle_session_timeout'],
  'min-idle-session': ['min_idle_session'],
});

export const credentialSpellings = spellings({ ...stream, username: ['user'], password: ['pass'] });

export const naiveSpellings = spellings({
  ...stream,
  'insecure-concurrency': ['insecure_concurrency', 'insecureConcurrency'],
  'extra-headers': ['extra_headers', 'extraHeaders'],
  uot: ['udp-over-tcp', 'udp_over_tcp'],
  uot_version: ['udp-over-tcp-version', 'udp_over_tcp_version'],
});

export const juicitySpellings = spellings({
  ...stream,
  congestion_control: ['congestion-control', 'congestionControl'],
  pin_cert_sha256: ['pinned_certchain_sha256', 'pinned-certchain-sha256', 'pinnedCertchainSha256'],
});

export const mieruSpellings = spellings({ name: ['remarks', 'remark'], protocol: [], profile: [], mtu: [] });

export const sshSpellings = spellings({
  name: ['remarks', 'remark'],
  private_key: ['pk', 'private-key', 'privateKey'],
  private_key_passphrase: ['pkp', 'passphrase', 'private-key-passphrase'],
  host_key: ['hk', 'host-key', 'hostKey'],
  host_key_algorithms: ['hka', 'host-key-algorithms'],
  client_version: ['client-version'],
});

export const snellSpellings = spellings({
  name: ['remarks', 'remark'],
  psk: ['password'],
  version: ['v'],
  obfs: ['obfs-mode', 'obfs_mode'],
  'obfs-host': ['obfs_host', 'obfsHost'],
  tfo: ['fast-open', 'fastopen'],
  reuse: [],
  udp: [],
});
