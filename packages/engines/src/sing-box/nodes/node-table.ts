import type { Node, NodeType } from '@sbox/formats';
import type { FeatureName } from './capability-table.ts';
import { isRecord } from '../document.ts';
import {
  also,
  base64Key,
  base64Length,
  can,
  capable,
  capableVariants,
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
  object,
  oneOf,
  port,
  prefix,
  text,
  textOrList,
  unsupported,
  urlPath,
  uuid,
  variants,
  type Field,
} from './fields.ts';
import { ssMethods, ssPassword, ssPlugin } from './shadowsocks-fields.ts';
import { quicTls, tls, tlsFields } from './tls-fields.ts';

/**
 * What sing-box takes from a node of one type. One unknown field, or one value it cannot read, fails the whole
 * configuration, so each was tried with `sing-box check`. Which version and build has what is in the capability table.
 */
export interface NodeRow {
  readonly fields: Readonly<Record<string, Field>>;
  readonly required: readonly string[];
  /** Looks at fields together. */
  readonly whole?: Field;
  /** Fields that only tune: where the engine lacks them, the node runs the same without. */
  readonly tuning?: Readonly<Record<string, FeatureName>>;
  /** What the node is made of that no field shows, by the capability table. */
  readonly needs?: (node: Node) => FeatureName | undefined;
  /** Fields that the engine has in another type. */
  readonly convert?: Readonly<Record<string, (value: unknown) => unknown>>;
}

const many = int(0, 1_000_000);
const uint32 = int(0, 4_294_967_295);

const dialer = { tcp_fast_open: flag, tcp_multi_path: flag, udp_fragment: flag, connect_timeout: duration };
/** Where to dial, and how. */
export const remote = { server: hostName, server_port: port, ...dialer };
const network = oneOf('tcp', 'udp');

const transport = capableVariants('transport', {
  ws: object({ type: text, path: urlPath, headers, max_early_data: uint32, early_data_header_name: text }),
  http: object({
    type: text,
    host: textOrList,
    path: urlPath,
    method: text,
    headers,
    idle_timeout: duration,
    ping_timeout: duration,
    header_type: () => unsupported('sing-box has HTTP/1.1 as camouflage only without TLS'),
  }),
  grpc: object({
    type: text,
    service_name: text,
    idle_timeout: duration,
    ping_timeout: duration,
    permit_without_stream: flag,
  }),
  httpupgrade: object({ type: text, host: text, path: urlPath, headers }),
  quic: object({ type: text }),
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

const udpOverTcp = can(
  'udp_over_tcp',
  either((value) => typeof value === 'boolean', flag, object({ enabled: flag, version: int(1, 2) }, ['enabled'])),
);

const packetEncoding = oneOf('', 'packetaddr', 'xudp');

const v2ray = { tls, transport, multiplex: can('multiplex', multiplex), network };

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
  salamander: can('hysteria2.obfs.salamander', object({ type: text, password: filled }, ['password'])),
  gecko: can('hysteria2.obfs.gecko', also(geckoFields, geckoRange)),
});

const httpUrl: Field = (value, path) =>
  typeof value === 'string' && /^https?:\/\/[^\s/?#]+(?:[/?][^\s#]*)?$/.test(value)
    ? undefined
    : invalid(path, 'must be an http or https URL');
const realm = object({ server_url: httpUrl, token: text, realm_id: filled, stun_servers: list(filled) }, [
  'server_url',
  'realm_id',
]);
const realmAlone: Field = (value) =>
  isRecord(value) && value['realm'] !== undefined && value['server_ports'] !== undefined
    ? invalid('server_ports', 'and realm exclude each other')
    : undefined;

const window = int(0, Number.MAX_SAFE_INTEGER);
const base64Text: Field = (value, path) =>
  base64Length(value) === undefined ? invalid(path, 'must be base64') : undefined;

/** Version 6 shapes its packets by itself, and its key has a length of its own. */
const snellSix: Field = (value) => {
  if (!isRecord(value) || Number(value['version']) !== 6) return undefined;
  const shaped = ['obfs_mode', 'obfs_host'].find((key) => value[key] !== undefined);
  if (shaped !== undefined) return invalid(shaped, 'is not there in version 6');
  return /^[\x20-\x7e]{12,255}$/.test(String(value['psk']))
    ? undefined
    : invalid('psk', 'must have 12 to 255 characters');
};

const tuicRelay: Field = (value) => {
  const { udp_over_stream, udp_relay_mode } = value as { udp_over_stream?: boolean; udp_relay_mode?: string };
  return udp_over_stream === true && udp_relay_mode !== undefined
    ? invalid('udp_over_stream', 'and udp_relay_mode exclude each other')
    : undefined;
};

/** What the base64 of keys begins with: OpenSSH's own form, and the DER that all others are. */
const sshKeyStart = /^(?:b3BlbnNzaC1rZXktdjEA|M)[A-Za-z0-9+/]{40,}={0,2}$/;
const sshKey: Field = (value, path) => {
  const [, body = ''] =
    /^\s*-----BEGIN [A-Z ]*PRIVATE KEY-----\n(?:[\w-]+: .*\n)*([^-]+)-----END [A-Z ]*PRIVATE KEY-----\s*$/.exec(
      String(value),
    ) ?? [];
  return sshKeyStart.test(body.replace(/\s/g, '')) ? undefined : invalid(path, 'must be a private key as PEM text');
};
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

/** The types that some sing-box can run. */
export const nodeTable: Readonly<Partial<Record<NodeType, NodeRow>>> = {
  shadowsocks: {
    fields: {
      ...remote,
      method: oneOf(...ssMethods),
      password: text,
      plugin: either((value) => value === '', text, capable('plugin')),
      plugin_opts: text,
      network,
      udp_over_tcp: udpOverTcp,
      multiplex: can('multiplex', multiplex),
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
      flow: can('vless.flow', oneOf('', 'xtls-rprx-vision')),
      encryption: can('vless.encryption'),
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
      server_ports: can('hysteria2.server_ports', list(portRange)),
      hop_interval: duration,
      hop_interval_max: duration,
      realm: can('hysteria2.realm', realm),
      network,
      tls: quicTls,
    },
    required: ['tls'],
    whole: realmAlone,
    tuning: { hop_interval_max: 'hysteria2.hop_interval_max' },
  },
  hysteria: {
    fields: {
      ...remote,
      server_ports: can('hysteria.server_ports', list(portRange)),
      hop_interval: can('hysteria.server_ports', duration),
      up_mbps: int(1, 1_000_000),
      down_mbps: int(1, 1_000_000),
      obfs: text,
      auth: base64Text,
      auth_str: text,
      recv_window_conn: window,
      recv_window: window,
      disable_mtu_discovery: flag,
      network,
      tls: quicTls,
    },
    required: ['up_mbps', 'down_mbps', 'tls'],
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
    needs: ({ version }) => (String(version) === '4' ? 'tuic.v4' : undefined),
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
    needs: ({ amnezia }) => (amnezia === undefined ? undefined : 'wireguard.amnezia'),
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
    tuning: { tcp_fast_open: 'anytls.tcp_fast_open' },
  },
  snell: {
    fields: {
      ...remote,
      version: (value, path, profile) => oneOf('4', '5', '6')(String(value), path, profile),
      psk: filled,
      reuse: flag,
      network,
      obfs_mode: oneOf('', 'none', 'http', 'tls'),
      obfs_host: text,
    },
    required: ['version', 'psk'],
    needs: ({ version }) => (Number(version) < 4 ? 'snell.v3' : undefined),
    whole: snellSix,
    // What 5 adds to 4 is QUIC, which sing-box leaves to others: https://sing-box.sagernet.org/configuration/outbound/snell/
    convert: { version: (value) => (Number(value) === 5 ? 4 : Number(value)) },
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
  },
};
