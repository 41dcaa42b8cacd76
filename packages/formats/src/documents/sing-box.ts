import { ProblemError } from '@sbox/core';
import type { Collector } from '../collector.ts';
import type { NodeDraft, NodeType, WireguardPeer } from '../node.ts';
import { readPort, readServer } from '../protocols/address.ts';
import { withPrefixLength } from '../protocols/wireguard.ts';
import { parseJsonc } from './jsonc.ts';
import {
  defaultPorts,
  isNodeType,
  isTransportType,
  notNodes,
  requiredFields,
  singBoxFields,
} from './sing-box-fields.ts';
import { asRecord, readFields } from './sing-box-shape.ts';

const maxExtraLength = 64 * 1024;

/** `outbounds` and `endpoints` of a sing-box configuration. @throws ProblemError `subscription.unknown-format` */
export function readSingBox(text: string, collector: Collector): void {
  const json = parseJsonc(text);
  const root = asRecord(json?.value);
  if (json === undefined || root === undefined) {
    throw new ProblemError(
      'subscription.unknown-format',
      'it looks like a sing-box configuration, but it is not valid JSON',
    );
  }
  const directTags = tagsOfType(root, 'direct');
  for (const field of ['outbounds', 'endpoints'] as const) {
    const items = root[field];
    if (!Array.isArray(items)) continue;
    const lines = json.linesOf(field);
    for (const [index, item] of items.entries()) {
      const { type, tag } = asRecord(item) ?? {};
      if (typeof type === 'string' && notNodes.has(type)) continue;
      collector.add(lines[index] ?? 1, `${String(type)} ${String(tag)}`, () => readOutbound(item, directTags));
    }
  }
}

const tagsOfType = (root: Readonly<Record<string, unknown>>, type: string): ReadonlySet<unknown> =>
  new Set(
    [root['outbounds']]
      .flat()
      .filter((item) => asRecord(item)?.['type'] === type)
      .map((item) => asRecord(item)?.['tag']),
  );

function readOutbound(item: unknown, directTags: ReadonlySet<unknown>): NodeDraft {
  const source = asRecord(item);
  if (source === undefined) throw new ProblemError('node.malformed', 'the outbound is not an object');
  const { type, tag, detour, ...rest } = source;
  if (typeof type !== 'string') {
    throw typeof rest['protocol'] === 'string'
      ? new ProblemError('node.unsupported', 'this is an outbound of Xray; Xray configurations are not supported')
      : new ProblemError('node.missing-field', 'the type is missing');
  }
  if (!isNodeType(type)) {
    throw new ProblemError(
      'node.unsupported',
      `outbounds of type ${JSON.stringify(type.slice(0, 32))} are not supported`,
    );
  }
  if (detour !== undefined && detour !== '' && !directTags.has(detour)) {
    throw new ProblemError('node.unsupported', 'the outbound goes through another one (detour)');
  }
  const { known, unknown } = readFields(type === 'wireguard' ? asEndpoint(rest) : rest, singBoxFields[type], '');
  if (known['address'] !== undefined) known['address'] = (known['address'] as string[]).map(withPrefixLength);
  const draft = { type, ...addressOf(type, known), ...known } as NodeDraft;
  check(draft, known);
  if (typeof tag === 'string') draft.tag = tag;
  if (type === 'wireguard') draft.once = true;
  if (unknown.length > 0) draft.extra = limited(unknown);
  return draft;
}

/** Type first; then server and port under their own names, wireguard's from its first peer. */
function addressOf(type: NodeType, known: Record<string, unknown>): Pick<NodeDraft, 'server' | 'server_port'> {
  const [peer] = (known['peers'] as readonly Partial<WireguardPeer>[] | undefined) ?? [];
  const server = readServer((type === 'wireguard' ? peer?.address : known['server']) as string | undefined);
  const port = (type === 'wireguard' ? peer?.port : known['server_port']) as number | undefined;
  const [firstRange] = (known['server_ports'] as readonly string[] | undefined) ?? [];
  const server_port = readPort(port?.toString() ?? firstRange?.split(':')[0], defaultPorts[type]);
  delete known['server'];
  delete known['server_port'];
  return { server, server_port };
}

/** sing-box refuses a whole config for any of these, so the node goes alone. */
function check(draft: NodeDraft, known: Readonly<Record<string, unknown>>): void {
  for (const field of requiredFields[draft.type]) {
    if (known[field] === undefined || known[field] === '')
      throw new ProblemError('node.missing-field', `${field} is missing`);
  }
  if (draft.transport !== undefined && !isTransportType(draft.transport.type)) {
    throw new ProblemError('node.unsupported', `transport ${JSON.stringify(draft.transport.type)} is not known`);
  }
  if (draft.tls?.reality?.enabled === true && !draft.tls.reality.public_key) {
    throw new ProblemError('node.missing-field', 'REALITY needs a public key');
  }
  if (draft.obfs !== undefined && (!draft.obfs.type || !draft.obfs.password)) {
    throw new ProblemError('node.missing-field', 'obfs needs a type and a password');
  }
  for (const peer of draft.peers ?? []) {
    if (!peer.public_key) throw new ProblemError('node.missing-field', "the peer's public key is missing");
    readServer(peer.address);
    readPort(String(peer.port));
  }
}

/** WireGuard as an outbound, which sing-box knew up to 1.12, in the form of an endpoint. */
function asEndpoint(source: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { server, server_port, local_address, peer_public_key, pre_shared_key, reserved, ...rest } = source;
  const peers = Array.isArray(rest['peers'])
    ? rest['peers'].map(asPeer)
    : [{ address: server, port: server_port, public_key: peer_public_key, pre_shared_key, reserved }].map(
        withoutUndefined,
      );
  const address = rest['address'] ?? local_address;
  return {
    ...rest,
    ...(address === undefined ? {} : { address }),
    peers: peers.map((peer) => ({ allowed_ips: ['0.0.0.0/0', '::/0'], ...asRecord(peer) })),
  };
}

/** Peers of the older form have `server` and `server_port`. */
function asPeer(peer: unknown): unknown {
  const { server, server_port, ...rest } = asRecord(peer) ?? {};
  return withoutUndefined({ address: server, port: server_port, ...rest });
}

const withoutUndefined = (fields: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

function limited(entries: readonly (readonly [string, string])[]): Readonly<Record<string, string>> {
  const length = entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  if (length > maxExtraLength)
    throw new ProblemError('node.malformed', 'the outbound has too many fields that are not known');
  return Object.fromEntries(entries);
}
