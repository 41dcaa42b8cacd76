import { ProblemError } from '@sbox/core';
import type { NodeDraft, WireguardPeer } from '../node.ts';
import { setFields, takeInt, takeList, takeText, wholeNumber, type Params } from '../params.ts';
import { decodeBase64Bytes } from '../text/base64.ts';
import { isIpv6 } from './address.ts';
import { finishNode, requireText, startNode, type ReadNode } from './common.ts';

const everywhere: readonly string[] = ['0.0.0.0/0', '::/0'];

/** sing-box's endpoint. The first peer is written flat, further ones as `peers.1.public_key` and so on. */
export const readWireguard: ReadNode = (params) => {
  const draft = startNode('wireguard', params, 51_820);
  const privateKey = requireText(params, 'private_key', 'the private key');
  const address = takeList(params, 'address')?.map(withPrefixLength);
  if (address === undefined) throw new ProblemError('node.missing-field', "the tunnel's own address is missing");
  return finishNode(draft, params, {
    private_key: privateKey,
    address,
    peers: [takePeer(params, draft), ...takeMorePeers(params)],
    mtu: takeInt(params, 'mtu', 65_535) || undefined,
    workers: takeInt(params, 'workers', 1_024) || undefined,
    amnezia: takeAmnezia(params),
    once: true,
  });
};

const maxPeers = 64;

function takeMorePeers(params: Params): readonly WireguardPeer[] {
  const peers: WireguardPeer[] = [];
  for (let index = 1; index < maxPeers; index += 1) {
    const prefix = `peers.${index}.`;
    const settings = new Map([...params].filter(([key]) => key.startsWith(prefix)));
    if (settings.size === 0) break;
    for (const key of settings.keys()) params.delete(key);
    const peer: Params = new Map([...settings].map(([key, value]) => [key.slice(prefix.length), value]));
    peers.push(takePeer(peer, startNode('wireguard', peer, 51_820)));
    for (const [key, value] of peer) params.set(`${prefix}${key}`, value);
  }
  return peers;
}

const takePeer = (params: Params, { server, server_port }: NodeDraft): WireguardPeer =>
  setFields<{ -readonly [Key in keyof WireguardPeer]: WireguardPeer[Key] }>(
    {
      address: server,
      port: server_port,
      public_key: requireText(params, 'public_key', "the server's public key"),
      allowed_ips: takeList(params, 'allowed_ips') ?? everywhere,
    },
    {
      pre_shared_key: takeText(params, 'pre_shared_key'),
      persistent_keepalive_interval: takeInt(params, 'keepalive', 65_535) || undefined,
      reserved: takeReserved(params),
    },
  );

/** An address without a prefix length means itself alone. */
export function withPrefixLength(text: string): string {
  const address = text.replace(/^\[([^\]]*)\]/, '$1');
  return address.includes('/') ? address : `${address}/${isIpv6(address) ? 128 : 32}`;
}

/** The settings that make WireGuard AmneziaWG, under their small letters; an engine without them cannot reach the server. */
const amneziaKey = /^(?:amnezia(?:-wg-option)?\.)?(jc|jmin|jmax|s[1-4]|h[1-4]|i[1-5]|j[1-3]|itime)$/i;

function takeAmnezia(params: Params): Readonly<Record<string, string>> | undefined {
  const settings: [string, string][] = [];
  for (const [key, value] of params) {
    const name = amneziaKey.exec(key)?.[1]?.toLowerCase();
    if (name === undefined) continue;
    params.delete(key);
    if (value !== '') settings.push([name, value]);
  }
  // In order, because they are part of the node's identity.
  return settings.length === 0 ? undefined : Object.fromEntries(settings.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function takeReserved(params: Params): readonly number[] | undefined {
  const bytes = readReserved(params.get('reserved') ?? '');
  if (bytes !== undefined) params.delete('reserved');
  return bytes;
}

/** Three bytes as `1,2,3`, `[1, 2, 3]` or base64 (the client id of WARP). */
export function readReserved(text: string): readonly number[] | undefined {
  const numbers = text
    .replace(/^\s*\[|\]\s*$/g, '')
    .split(',')
    .map((item) => wholeNumber(item));
  const bytes = numbers.length === 3 ? numbers : [...(decodeBase64Bytes(text) ?? [])];
  return bytes.length === 3 && bytes.every((byte) => byte !== undefined && byte <= 255)
    ? (bytes as number[])
    : undefined;
}
