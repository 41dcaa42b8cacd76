import type { NodeType } from '@sbox/formats';
import { isRecord } from './document.ts';
import {
  also,
  base64Key,
  duration,
  either,
  filled,
  fixedList,
  flag,
  headers,
  hostName,
  int,
  invalid,
  list,
  needs,
  object,
  oneOf,
  port,
  prefix,
  since,
  text,
  textOrList,
  urlPath,
  uuid,
  variants,
  type Field,
} from './fields.ts';
import type { NodeTag } from './profile.ts';
import { ssMethods, ssPassword, ssPlugin } from './shadowsocks-fields.ts';
import { quicTls, tls, tlsFields } from './tls-fields.ts';

/**
 * What sing-box takes from a node of one type. One unknown field, or one value it cannot read, fails the whole
 * configuration, so each was tried with `sing-box check` of 1.12.23, 1.13.21 and 1.14.4.
 */
export interface NodeRow {
  readonly fields: Readonly<Record<string, Field>>;
  readonly required: readonly string[];
  readonly tags?: readonly NodeTag[];
  /** First 1.x that knows the type. */
  readonly since?: number;
  /** Looks at fields together. */
  readonly whole?: Field;
  /** Fields that only tune, with the first 1.x that takes them; before, the node runs the same without. */
  readonly tuning?: Readonly<Record<string, number>>;
}

const many = int(0, 1_000_000);
const uint32 = int(0, 4_294_967_295);
const never = Infinity;

const dialer = { tcp_fast_open: flag, tcp_multi_path: flag, udp_fragment: flag, connect_timeout: duration };
const remote = { server: hostName, server_port: port, ...dialer };
const network = oneOf('tcp', 'udp');

const transport = variants({
  ws: object({ type: text, path: urlPath, headers, max_early_data: uint32, early_data_header_name: text }),
  http: object({
    type: text,
    host: textOrList,
    path: urlPath,
    method: text,
    headers,
    idle_timeout: duration,
    ping_timeout: duration,
  }),
  grpc: object({
    type: text,
    service_name: text,
    idle_timeout: duration,
    ping_timeout: duration,
    permit_without_stream: flag,
  }),
  httpupgrade: object({ type: text, host: text, path: urlPath, headers }),
  quic: needs('with_quic', object({ type: text })),
});

const multiplex = object(
  {
    enabled: flag,
    protocol: oneOf('smux', 'yamux', 'h2mux'),
    max_connections: many,
    min_streams: many,
    max_streams: many,
    padding: flag,
    brutal: object({ enabled: flag, up_mbps: int(1, 1_000_000), down_mbps: int(1, 1_000_000) }, [
      'enabled',
      'up_mbps',
      'down_mbps',
    ]),
  },
  ['enabled'],
);

const udpOverTcp = either(
  (value) => typeof value === 'boolean',
  flag,
  object({ enabled: flag, version: int(1, 2) }, ['enabled']),
);

const packetEncoding = oneOf('', 'packetaddr', 'xudp');

const v2ray = { tls, transport, multiplex, network };

const quicNeedsTls: Field = (value) =>
  isRecord(value) && isRecord(value['transport']) && value['transport']['type'] === 'quic' && value['tls'] === undefined
    ? invalid('transport', 'is QUIC without TLS')
    : undefined;

const portRange: Field = (value, path) => {
  const [, from = '', to = ''] = /^(\d{1,5}):(\d{1,5})$/.exec(String(value)) ?? [];
  return from !== '' && Number(from) >= 1 && Number(from) <= Number(to) && Number(to) <= 65_535
    ? undefined
    : invalid(path, 'must be a range of ports like 5000:6000');
};

const packetSize = int(0, 2048);
const geckoFields = object({ type: text, password: filled, min_packet_size: packetSize, max_packet_size: packetSize }, [
  'password',
]);
/** 0 stands for sing-box's own 512 and 1200. */
const geckoRange: Field = (value, path) => {
  const { min_packet_size, max_packet_size } = value as { min_packet_size?: number; max_packet_size?: number };
  return (min_packet_size || 512) <= (max_packet_size || 1200)
    ? undefined
    : invalid(path, 'has a smallest packet above its largest');
};

const obfs = variants({
  salamander: object({ type: text, password: filled }, ['password']),
  gecko: since(14, also(geckoFields, geckoRange), 'obfs.type gecko'),
});

const tuicRelay: Field = (value) => {
  const { udp_over_stream, udp_relay_mode } = value as { udp_over_stream?: boolean; udp_relay_mode?: string };
  return udp_over_stream === true && udp_relay_mode !== undefined
    ? invalid('udp_over_stream', 'and udp_relay_mode exclude each other')
    : undefined;
};

const sshKey: Field = (value, path) =>
  typeof value === 'string' && /^\s*-----BEGIN [A-Z ]*PRIVATE KEY-----\s/.test(value)
    ? undefined
    : invalid(path, 'must be a private key as PEM text');
const hostKey: Field = (value, path) =>
  typeof value === 'string' && /^[a-z0-9@.-]+ [A-Za-z0-9+/]{60,}={0,2}(?: .*)?$/.test(value)
    ? undefined
    : invalid(path, 'must be a public key in the form of OpenSSH');

const wireguardPeer = object(
  {
    address: hostName,
    port,
    public_key: base64Key(32),
    pre_shared_key: base64Key(32),
    allowed_ips: list(prefix, 1),
    persistent_keepalive_interval: int(0, 65_535),
    reserved: fixedList(int(0, 255), 3),
  },
  ['address', 'port', 'public_key', 'allowed_ips'],
);

export const nodeTable: Readonly<Record<NodeType, NodeRow>> = {
  shadowsocks: {
    fields: {
      ...remote,
      method: oneOf(...ssMethods),
      password: text,
      plugin: oneOf('', 'obfs-local', 'v2ray-plugin'),
      plugin_opts: text,
      network,
      udp_over_tcp: udpOverTcp,
      multiplex,
    },
    required: ['method'],
    whole: also(ssPassword, ssPlugin),
  },
  vmess: {
    fields: {
      ...remote,
      uuid: filled,
      security: oneOf('', 'auto', 'none', 'zero', 'aes-128-gcm', 'chacha20-poly1305', 'aes-128-cfb'),
      alter_id: int(0, 65_535),
      global_padding: flag,
      authenticated_length: flag,
      packet_encoding: packetEncoding,
      ...v2ray,
    },
    required: ['uuid'],
    whole: quicNeedsTls,
  },
  vless: {
    fields: {
      ...remote,
      uuid: filled,
      flow: oneOf('', 'xtls-rprx-vision'),
      packet_encoding: packetEncoding,
      ...v2ray,
    },
    required: ['uuid'],
    whole: quicNeedsTls,
  },
  trojan: { fields: { ...remote, password: text, ...v2ray }, required: ['password'], whole: quicNeedsTls },
  hysteria2: {
    fields: {
      ...remote,
      password: text,
      up_mbps: many,
      down_mbps: many,
      obfs,
      server_ports: list(portRange),
      hop_interval: duration,
      hop_interval_max: duration,
      network,
      tls: quicTls,
    },
    required: ['tls'],
    tags: ['with_quic'],
    tuning: { hop_interval_max: 14 },
  },
  tuic: {
    fields: {
      ...remote,
      uuid,
      password: text,
      congestion_control: oneOf('cubic', 'new_reno', 'bbr'),
      udp_relay_mode: oneOf('native', 'quic'),
      udp_over_stream: flag,
      zero_rtt_handshake: flag,
      heartbeat: duration,
      network,
      tls: quicTls,
    },
    required: ['uuid', 'tls'],
    tags: ['with_quic'],
    whole: tuicRelay,
  },
  wireguard: {
    fields: {
      ...dialer,
      address: list(prefix, 1),
      private_key: base64Key(32),
      peers: list(wireguardPeer, 1),
      mtu: int(576, 65_535),
      listen_port: port,
      workers: int(1, 1024),
      udp_timeout: duration,
    },
    required: ['address', 'private_key', 'peers'],
    // Without gVisor sing-box would need an interface of the system.
    tags: ['with_wireguard', 'with_gvisor'],
  },
  anytls: {
    fields: {
      ...remote,
      password: text,
      idle_session_check_interval: duration,
      idle_session_timeout: duration,
      min_idle_session: many,
      tls,
    },
    required: ['password', 'tls'],
    tuning: { tcp_fast_open: never },
  },
  socks: {
    fields: {
      ...remote,
      version: oneOf('4', '4a', '5'),
      username: text,
      password: text,
      network,
      udp_over_tcp: udpOverTcp,
    },
    required: [],
  },
  http: { fields: { ...remote, username: text, password: text, path: text, headers, tls }, required: [] },
  ssh: {
    fields: {
      ...remote,
      user: text,
      password: text,
      private_key: sshKey,
      private_key_passphrase: text,
      host_key: list(hostKey),
      host_key_algorithms: list(text),
      client_version: text,
    },
    required: [],
  },
  naive: {
    fields: {
      ...remote,
      username: text,
      password: text,
      insecure_concurrency: int(0, 1024),
      extra_headers: headers,
      udp_over_tcp: udpOverTcp,
      quic: flag,
      quic_congestion_control: oneOf('bbr', 'bbr2', 'cubic', 'reno'),
      tls: object({ enabled: flag, server_name: text, certificate: tlsFields.certificate, ech: tlsFields.ech }, [
        'enabled',
      ]),
    },
    required: ['tls'],
    tags: ['with_naive_outbound'],
    since: 13,
  },
};
