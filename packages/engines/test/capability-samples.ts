import type { CapabilityKind, capabilityTable } from '../src/sing-box/nodes/capability-table.ts';
import { key16, key32 } from './arbitrary-nodes.ts';

type Kinds = typeof capabilityTable;
type Fields = Readonly<Record<string, unknown>>;

/** A node that has the row's capability and nothing else that not everybody has. */
export interface Sample {
  readonly node: Fields;
  /** What the engine is asked, where that is not the node as it is. */
  readonly raw?: { readonly outbounds?: readonly Fields[]; readonly endpoints?: readonly Fields[] };
}

const uuid = '2dd61d93-75d8-4da4-ac0e-6aece7eac365';
const at = { server: '192.0.2.1', server_port: 443 };
const tls = { enabled: true, server_name: 'example.test' };
const sample = (type: string, fields: Fields): Sample => ({ node: { type, ...at, ...fields } });
const strange = (type: string): Sample => sample(type, { password: 'x' });
const ss = { method: 'aes-128-gcm', password: 'x' };
const plugin = (name: string, plugin_opts = ''): Sample => sample('shadowsocks', { ...ss, plugin: name, plugin_opts });
const trojan = (fields: Fields): Sample => sample('trojan', { password: 'x', tls, ...fields });
const vless = (fields: Fields): Sample => sample('vless', { uuid, tls, ...fields });
const over = (type: string, fields: Fields = {}): Sample => vless({ transport: { type, ...fields } });
const withTls = (fields: Fields): Sample => trojan({ tls: { ...tls, ...fields } });
const hysteria = { up_mbps: 10, down_mbps: 10, tls };
const hysteria2 = { password: 'x', tls };
const peer = { address: '192.0.2.1', port: 443, public_key: key32, allowed_ips: ['0.0.0.0/0'] };
const tunnel = { private_key: key32, address: ['10.0.0.2/32'], peers: [peer] };
const shadowTls = { version: 3, password: 'y', tls };
const realm = { server_url: 'https://192.0.2.1:8443', token: 't', realm_id: 'r', stun_servers: ['192.0.2.1:3478'] };
const reality = { utls: { enabled: true }, reality: { enabled: true, public_key: 'A'.repeat(43), short_id: '01' } };
const echConfig = ['-----BEGIN ECH CONFIGS-----', 'AAAA', '-----END ECH CONFIGS-----'];
const snell = { psk: 'a key that is long' };

const protocol: Record<keyof Kinds['protocol'], Sample> = {
  shadowsocks: sample('shadowsocks', { method: '2022-blake3-aes-128-gcm', password: key16 }),
  vmess: sample('vmess', { uuid, security: 'auto', alter_id: 0, tls }),
  vless: vless({}),
  trojan: trojan({}),
  socks: sample('socks', { version: '5', username: 'u', password: 'p' }),
  http: sample('http', { username: 'u', password: 'p', tls }),
  ssh: sample('ssh', { user: 'u', password: 'p' }),
  hysteria: sample('hysteria', { ...hysteria, auth_str: 'x', obfs: 'y', recv_window: 1_000_000 }),
  hysteria2: sample('hysteria2', hysteria2),
  tuic: sample('tuic', { uuid, password: 'x', congestion_control: 'bbr', tls }),
  wireguard: { ...sample('wireguard', tunnel), raw: { endpoints: [{ type: 'wireguard', ...tunnel }] } },
  anytls: sample('anytls', { password: 'x', tls, idle_session_timeout: '30s' }),
  naive: sample('naive', { username: 'u', password: 'p', tls }),
  snell: {
    ...sample('snell', { ...snell, version: 4, obfs_mode: 'http', obfs_host: 'a.test' }),
    raw: { outbounds: [{ type: 'snell', ...at, ...snell, version: 4, obfs_mode: 'http', obfs_host: 'a.test' }] },
  },
  shadowsocksr: strange('shadowsocksr'),
  juicity: strange('juicity'),
  mieru: strange('mieru'),
  trusttunnel: strange('trusttunnel'),
  'h2-connect': strange('h2-connect'),
  masque: strange('masque'),
  sudoku: strange('sudoku'),
  tailscale: strange('tailscale'),
  'gost-relay': strange('gost-relay'),
};

const transport: Record<keyof Kinds['transport'], Sample> = {
  ws: over('ws', { path: '/x', headers: { Host: 'a.test' }, max_early_data: 2048 }),
  http: over('http', { host: ['a.test'], path: '/x' }),
  grpc: over('grpc', { service_name: 'x' }),
  httpupgrade: over('httpupgrade', { host: 'a.test', path: '/x' }),
  quic: over('quic'),
  xhttp: over('xhttp', { path: '/x' }),
  mkcp: over('mkcp'),
};

const plugins: Record<keyof Kinds['plugin'], Sample> = {
  'obfs-local': plugin('obfs-local', 'obfs=http;obfs-host=a.test'),
  'v2ray-plugin': plugin('v2ray-plugin', 'tls;host=a.test'),
  'xray-plugin': plugin('xray-plugin'),
  'gost-plugin': plugin('gost-plugin'),
  kcptun: plugin('kcptun'),
  cloak: plugin('cloak'),
  'shadow-tls': plugin('shadow-tls'),
  restls: plugin('restls'),
};

const feature: Record<keyof Kinds['feature'], Sample> = {
  'tls.utls': withTls({ utls: { enabled: true, fingerprint: 'firefox' } }),
  'tls.utls.chrome_pq_psk': withTls({ utls: { enabled: true, fingerprint: 'chrome_pq_psk' } }),
  'tls.reality': withTls(reality),
  'tls.ech': withTls({ ech: { enabled: true, config: echConfig } }),
  'tls.ech.query_server_name': withTls({ ech: { enabled: true, query_server_name: 'a.test' } }),
  'tls.fragment': withTls({ fragment: true }),
  'tls.fragment_fallback_delay': withTls({ fragment_fallback_delay: '500ms' }),
  'tls.record_fragment': withTls({ record_fragment: true }),
  'tls.curve_preferences': withTls({ curve_preferences: ['X25519'] }),
  'tls.certificate_public_key_sha256': withTls({ certificate_public_key_sha256: [key32] }),
  multiplex: trojan({
    multiplex: { enabled: true, protocol: 'h2mux', brutal: { enabled: true, up_mbps: 1, down_mbps: 1 } },
  }),
  udp_over_tcp: sample('shadowsocks', { ...ss, udp_over_tcp: { enabled: true, version: 2 } }),
  detour: {
    node: { type: 'trojan', ...at, password: 'x', tls, detour: 'n_other' },
    raw: {
      outbounds: [
        { type: 'trojan', tag: 'a', ...at, password: 'x', tls, detour: 'b' },
        { type: 'socks', tag: 'b', ...at },
      ],
    },
  },
  shadow_tls: {
    node: { type: 'shadowsocks', ...at, ...ss, shadow_tls: shadowTls },
    raw: {
      outbounds: [
        { type: 'shadowsocks', tag: 'a', ...ss, detour: 'b' },
        { type: 'shadowtls', tag: 'b', ...at, ...shadowTls },
      ],
    },
  },
  'vless.flow': vless({ flow: 'xtls-rprx-vision' }),
  'vless.encryption': vless({ encryption: 'mlkem768x25519plus.native.0rtt.x' }),
  'hysteria.server_ports': sample('hysteria', { ...hysteria, server_ports: ['5000:6000'], hop_interval: '30s' }),
  'hysteria2.server_ports': sample('hysteria2', { ...hysteria2, server_ports: ['5000:6000'], hop_interval: '30s' }),
  'hysteria2.hop_interval_max': sample('hysteria2', {
    ...hysteria2,
    server_ports: ['5000:6000'],
    hop_interval: '30s',
    hop_interval_max: '60s',
  }),
  'hysteria2.obfs.salamander': sample('hysteria2', { ...hysteria2, obfs: { type: 'salamander', password: 'x' } }),
  'hysteria2.obfs.gecko': sample('hysteria2', { ...hysteria2, obfs: { type: 'gecko', password: 'x' } }),
  'hysteria2.realm': {
    ...sample('hysteria2', { ...hysteria2, realm }),
    raw: { outbounds: [{ type: 'hysteria2', ...hysteria2, realm }] },
  },
  'tuic.v4': {
    ...sample('tuic', { version: '4', password: 'x', tls }),
    raw: { outbounds: [{ type: 'tuic', ...at, token: 'x', tls }] },
  },
  'anytls.tcp_fast_open': sample('anytls', { password: 'x', tls, tcp_fast_open: true }),
  'snell.v3': {
    ...sample('snell', { ...snell, version: 3 }),
    raw: { outbounds: [{ type: 'snell', ...at, ...snell, version: 3 }] },
  },
  'wireguard.amnezia': {
    ...sample('wireguard', { ...tunnel, amnezia: { jc: '4' } }),
    raw: { endpoints: [{ type: 'wireguard', ...tunnel, jc: 4 }] },
  },
};

export const capabilitySamples: Readonly<Record<CapabilityKind, Readonly<Record<string, Sample>>>> = {
  protocol,
  transport,
  plugin: plugins,
  feature,
};
