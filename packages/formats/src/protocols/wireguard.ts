import { ProblemError } from '@sbox/core';
import type { WireguardPeer } from '../node.ts';
import { setFields, takeInt, takeList, takeText, wholeNumber, type Params } from '../params.ts';
import { decodeBase64Bytes } from '../text/base64.ts';
import { isIpv6 } from './address.ts';
import { finishNode, requireText, startNode, type ReadNode } from './common.ts';

const everywhere: readonly string[] = ['0.0.0.0/0', '::/0'];

/** sing-box's endpoint with one peer. */
export const readWireguard: ReadNode = (params) => {
  if ([...params.keys()].some((key) => key.startsWith('amnezia'))) {
    throw new ProblemError('node.unsupported', 'AmneziaWG changes the protocol; sing-box and Xray cannot speak it');
  }
  const draft = startNode('wireguard', params, 51_820);
  const privateKey = requireText(params, 'private_key', 'the private key');
  const address = takeList(params, 'address')?.map(withPrefixLength);
  if (address === undefined) throw new ProblemError('node.missing-field', "the tunnel's own address is missing");
  const peer = setFields<{ -readonly [Key in keyof WireguardPeer]: WireguardPeer[Key] }>(
    {
      address: draft.server,
      port: draft.server_port,
      public_key: requireText(params, 'public_key', "the server's public key"),
      allowed_ips: takeList(params, 'allowed_ips') ?? everywhere,
    },
    {
      pre_shared_key: takeText(params, 'pre_shared_key'),
      persistent_keepalive_interval: takeInt(params, 'keepalive', 65_535) || undefined,
      reserved: takeReserved(params),
    },
  );
  return finishNode(draft, params, {
    private_key: privateKey,
    address,
    peers: [peer],
    mtu: takeInt(params, 'mtu', 65_535) || undefined,
    workers: takeInt(params, 'workers', 1_024) || undefined,
    once: true,
  });
};

/** An address without a prefix length means itself alone. */
export function withPrefixLength(text: string): string {
  const address = text.replace(/^\[([^\]]*)\]/, '$1');
  return address.includes('/') ? address : `${address}/${isIpv6(address) ? 128 : 32}`;
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
