import { ProblemError } from '@sbox/core';
import type { Collector } from '../collector.ts';
import type { Limits } from '../limits.ts';
import type { NodeDraft } from '../node.ts';
import { spellings, type Params } from '../params.ts';
import { readWireguard } from '../protocols/wireguard.ts';
import { forEachLine } from '../text/lines.ts';
import { splitEndpoint } from './endpoint.ts';
import { refuseLongLine } from './ini.ts';

const names = spellings({
  private_key: ['PrivateKey'],
  address: [],
  mtu: [],
  public_key: ['PublicKey'],
  pre_shared_key: ['PresharedKey'],
  allowed_ips: ['AllowedIPs'],
  keepalive: ['PersistentKeepalive'],
  reserved: ['ClientId'],
  endpoint: [],
});

/** Lists may be spread over several lines. */
const lists: ReadonlySet<string> = new Set(['address', 'allowed_ips', 'dns']);
const maxPeers = 64;

interface Tunnel {
  readonly line: number;
  name: string;
  /** `[Interface]` first, then each `[Peer]`. */
  readonly parts: Params[];
  error?: unknown;
}

/**
 * A file of wg-quick, or several one after the other; the keys of AmneziaWG as well.
 * @see https://www.man7.org/linux/man-pages/man8/wg-quick.8.html
 */
export function readWgQuick(text: string, collector: Collector, limits: Limits): void {
  const tunnels: Tunnel[] = [];
  let comment = '';
  forEachLine(text, (raw, number) => {
    const line = raw.trim();
    const named = /^[#;]\s*(?:name|remarks?)\s*[=:]\s*(.+)$/i.exec(line)?.[1];
    const tunnel = tunnels.at(-1);
    if (/^\[interface\]$/i.test(line)) {
      tunnels.push({ line: number, name: comment, parts: [new Map()] });
      comment = '';
    } else if (/^\[peer\]$/i.test(line)) tunnel?.parts.push(new Map());
    else if (named !== undefined) {
      if (tunnel === undefined || tunnel.parts.length > 1) comment = named;
      if (tunnel !== undefined) tunnel.name ||= named;
    } else if (line !== '' && !/^[#;[]/.test(line)) addSetting(tunnel, line, limits);
  });
  for (const tunnel of tunnels) collector.add(tunnel.line, tunnel.name, () => readTunnel(tunnel));
}

function addSetting(tunnel: Tunnel | undefined, line: string, limits: Limits): void {
  const params = tunnel?.parts.at(-1);
  if (tunnel === undefined || params === undefined) return;
  try {
    refuseLongLine(line, limits);
  } catch (error) {
    tunnel.error ??= error;
    return;
  }
  const [, key = '', value = ''] = /^([A-Za-z]\w*)\s*=\s*(.*?)(?:\s+[#;].*)?$/.exec(line) ?? [];
  if (key === '') return;
  const name = names.get(key.toLowerCase()) ?? key;
  const before = params.get(name);
  params.set(name, before !== undefined && lists.has(name.toLowerCase()) ? `${before},${value}` : value);
}

function readTunnel({ name, parts, error }: Tunnel): NodeDraft {
  if (error !== undefined) throw error;
  const [params = new Map<string, string>(), ...peers] = parts;
  if (peers.length > maxPeers) throw new ProblemError('node.malformed', `the tunnel has more than ${maxPeers} peers`);
  for (const [index, peer] of peers.entries()) {
    const prefix = index === 0 ? '' : `peers.${index}.`;
    const { host, port } = splitEndpoint(peer.get('endpoint') ?? '');
    peer.delete('endpoint');
    params.set(`${prefix}server`, host);
    params.set(`${prefix}port`, port);
    for (const [key, value] of peer) params.set(`${prefix}${key}`, value);
  }
  if (name !== '') params.set('name', name);
  return readWireguard(params);
}
