import { asRecord, recordsIn, tagOf, textsIn, type Json } from './document.ts';

/** One port that an engine opens with a configuration. */
export interface ListenPort {
  readonly tag: string;
  /** As sing-box writes it: `inbounds[0]`. */
  readonly path: string;
  readonly listen: string;
  readonly listen_port: number;
  readonly network: 'tcp' | 'udp';
}

type Network = ListenPort['network'];

/** Types that are not listed open TCP ports. */
const networksByType: Readonly<Record<string, readonly Network[]>> = {
  direct: ['tcp', 'udp'],
  hysteria: ['udp'],
  hysteria2: ['udp'],
  resolved: ['tcp', 'udp'],
  shadowsocks: ['tcp', 'udp'],
  snell: ['tcp', 'udp'],
  tproxy: ['tcp', 'udp'],
  tuic: ['udp'],
  wireguard: ['udp'],
  tailscale: ['udp'],
  'hysteria-realm': ['udp'],
};

/** Types whose `network` field narrows what they listen on; elsewhere it means something else. */
const narrowed = new Set(['direct', 'naive', 'shadowsocks', 'tproxy', 'openvpn-server']);

/** Every fixed port of a configuration: one row for each of TCP and UDP. Ports that the system chooses (0) are left out. */
export function listenPorts(config: unknown): ListenPort[] {
  return ['inbounds', 'endpoints', 'services'].flatMap((list) =>
    recordsIn(asRecord(config)[list]).flatMap((item, index) => portsOf(item, index, `${list}[${index}]`)),
  );
}

function portsOf(item: Json, index: number, path: string): ListenPort[] {
  const port = item['listen_port'];
  if (typeof port !== 'number' || port === 0) return [];
  const listen = typeof item['listen'] === 'string' ? item['listen'] : defaultListen(item);
  return networksOf(item).map((network) => ({ tag: tagOf(item, index), path, listen, listen_port: port, network }));
}

function networksOf(item: Json): readonly Network[] {
  const type = String(item['type']);
  if (asRecord(item['transport'])['type'] === 'quic') return ['udp'];
  const chosen = narrowed.has(type) ? textsIn(item['network']).filter((name) => name === 'tcp' || name === 'udp') : [];
  return chosen.length > 0 ? chosen : (networksByType[type] ?? ['tcp']);
}

/** sing-box binds inbounds without an address to loopback; WireGuard has no address of its own and binds to all. */
const defaultListen = (item: Json): string => ('peers' in item || item['type'] === 'tailscale' ? '::' : '127.0.0.1');
