import type { Node } from '@sbox/formats';
import type { EngineTarget } from '../src/sing-box/render.ts';
import { key16, key32 } from './arbitrary-nodes.ts';

const uuid = '2dd61d93-75d8-4da4-ac0e-6aece7eac365';
const tls = { enabled: true, server_name: 'example.test' } as const;
const at = (id: string, tag: string) => ({ id: `n_${id}`, tag, server: 'example.test', server_port: 443 });

/** One plain node of each type that the pinned build runs, and REALITY, which it does not. */
export const sampleNodes = [
  { ...at('ss', 'ss'), type: 'shadowsocks', method: '2022-blake3-aes-128-gcm', password: key16 },
  {
    ...at('ssobfs', 'ss obfs'),
    type: 'shadowsocks',
    method: 'aes-256-gcm',
    password: 'x',
    plugin: 'obfs-local',
    plugin_opts: 'obfs=http',
  },
  {
    ...at('vmess', 'vmess'),
    type: 'vmess',
    uuid,
    security: 'auto',
    alter_id: 0,
    transport: { type: 'ws', path: '/ws', headers: { Host: 'a.test' } },
  },
  { ...at('vless', 'vless'), type: 'vless', uuid, flow: 'xtls-rprx-vision', tls },
  { ...at('grpc', 'vless grpc'), type: 'vless', uuid, tls, transport: { type: 'grpc', service_name: 'tunnel' } },
  {
    ...at('reality', 'vless reality'),
    type: 'vless',
    uuid,
    tls: {
      ...tls,
      utls: { enabled: true, fingerprint: 'chrome' },
      reality: { enabled: true, public_key: 'A'.repeat(43), short_id: '0123' },
    },
  },
  {
    ...at('trojan', 'trojan'),
    type: 'trojan',
    password: 'x',
    tls: { ...tls, insecure: true, alpn: ['h2', 'http/1.1'] },
  },
  {
    ...at('hy2', 'hy2'),
    type: 'hysteria2',
    password: 'x',
    obfs: { type: 'salamander', password: 'y' },
    server_ports: ['5000:6000'],
    hop_interval: '15s',
    hop_interval_max: '30s',
    tls,
  },
  {
    ...at('tuic', 'tuic'),
    type: 'tuic',
    uuid,
    password: 'x',
    congestion_control: 'bbr',
    udp_relay_mode: 'native',
    tls,
  },
  {
    ...at('wg', 'wg'),
    type: 'wireguard',
    private_key: key32,
    address: ['10.0.0.2/32', 'fd00::2/128'],
    peers: [
      {
        address: 'example.test',
        port: 443,
        public_key: key32,
        allowed_ips: ['0.0.0.0/0', '::/0'],
        reserved: [1, 2, 3],
      },
    ],
    mtu: 1280,
    once: true,
  },
  { ...at('anytls', 'anytls'), type: 'anytls', password: 'x', tls, tcp_fast_open: true },
  { ...at('socks', 'socks'), type: 'socks', version: '5', username: 'u', password: 'p' },
  { ...at('http', 'http'), type: 'http', username: 'u', password: 'p', tls },
  { ...at('ssh', 'ssh'), type: 'ssh', user: 'u', password: 'p' },
] as const satisfies readonly Node[];

/** Tags of the sample nodes that a build does without, for what it is. */
export const missingIn = ({ version, tags }: EngineTarget): readonly string[] => [
  ...(tags.includes('with_utls') ? [] : ['vless reality']),
  ...(tags.includes('with_wireguard') ? [] : ['wg']),
  ...(version.startsWith('1.11.') ? ['anytls'] : []),
];

export const oneNode = (fields: object): Node =>
  ({ ...at('one', 'one'), type: 'trojan', password: 'x', tls, ...fields }) as unknown as Node;
