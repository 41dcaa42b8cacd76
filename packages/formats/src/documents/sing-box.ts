import { ProblemError } from '@sbox/core';
import type { Collector } from '../collector.ts';
import type { Limits } from '../limits.ts';
import type { NodeDraft, NodeType, Realm, ShadowTls, Tls, WireguardPeer } from '../node.ts';
import { readPort, readServer } from '../protocols/address.ts';
import { withPrefixLength } from '../protocols/wireguard.ts';
import { parseJsonc, type Jsonc } from './jsonc.ts';
import {
  defaultPorts,
  directTypes,
  isNodeType,
  isTransportType,
  notNodes,
  requiredFields,
  shadowTlsFields,
  singBoxFields,
} from './sing-box-fields.ts';
import { asRecord, readFields } from './sing-box-shape.ts';

const maxExtraLength = 64 * 1024;
const maxFrontUnknown = 32;

type Source = Readonly<Record<string, unknown>>;

/**
 * `outbounds` and `endpoints` of a sing-box configuration, a bare list of outbounds, or one alone.
 * @throws ProblemError `subscription.unknown-format`, `subscription.too-deep`
 */
export function readSingBox(text: string, collector: Collector, { maxDepth, maxLineBytes }: Limits): void {
  const json = parseJsonc(text, maxDepth);
  if (json === undefined || typeof json.value !== 'object' || json.value === null) {
    throw new ProblemError(
      'subscription.unknown-format',
      'it looks like a sing-box configuration, but it is not valid JSON',
    );
  }
  const lists = outboundLists(json);
  const around = surroundings(lists.flatMap(({ items }) => items));
  for (const { items, lines } of lists) {
    for (const [index, item] of items.entries()) {
      const { type, tag } = asRecord(item) ?? {};
      const what = notNodes.get(String(type));
      if (what !== undefined) collector.addOther(String(tag), what);
      else {
        const name = typeof tag === 'string' ? tag : undefined;
        const described = [type, tag].filter((part) => typeof part === 'string').join(' ');
        const read = (): NodeDraft => {
          refuseLongItem(item, maxLineBytes);
          return readOutbound(item, around);
        };
        collector.add(lines[index] ?? 1, described, read, name);
      }
    }
  }
}

/** @throws ProblemError `node.line-too-long` */
function refuseLongItem(item: unknown, maxLength: number): void {
  if (JSON.stringify(item).length > maxLength)
    throw new ProblemError('node.line-too-long', `the outbound is longer than ${maxLength} characters`);
}

interface ItemList {
  readonly items: readonly unknown[];
  readonly lines: readonly number[];
}

function outboundLists(json: Jsonc): readonly ItemList[] {
  if (Array.isArray(json.value)) {
    const lines = json.linesOf();
    // A list of outbounds, or of whole configurations.
    return json.value.flatMap((item: unknown, index): ItemList[] => {
      const items = asRecord(item)?.['outbounds'];
      const line = lines[index] ?? 1;
      return Array.isArray(items) ? [{ items, lines: items.map(() => line) }] : [{ items: [item], lines: [line] }];
    });
  }
  const root = asRecord(json.value) ?? {};
  if (typeof root['type'] === 'string' && !Array.isArray(root['outbounds'])) return [{ items: [root], lines: [1] }];
  return ['outbounds', 'endpoints'].flatMap((field): ItemList[] => {
    const items = root[field];
    return Array.isArray(items) ? [{ items, lines: json.linesOf(field) }] : [];
  });
}

/** What an outbound may name as its `detour`, beside other nodes. */
interface Surroundings {
  readonly direct: ReadonlySet<unknown>;
  readonly shadowTls: ReadonlyMap<unknown, () => Front>;
}

function surroundings(items: readonly unknown[]): Surroundings {
  const records = items.map(asRecord).filter((item) => item !== undefined);
  return {
    direct: new Set(records.filter(({ type }) => directTypes.has(type)).map(({ tag }) => tag)),
    shadowTls: new Map(
      records.filter(({ type }) => type === 'shadowtls').map((item) => [item['tag'], once(() => readShadowTls(item))]),
    ),
  };
}

/** Any number of nodes may stand behind one front, which is read for the first of them. */
function once<T>(read: () => T): () => T {
  let outcome: { readonly value: T } | { readonly error: unknown } | undefined;
  return () => {
    if (outcome === undefined) {
      try {
        outcome = { value: read() };
      } catch (error) {
        outcome = { error };
      }
    }
    if ('error' in outcome) throw outcome.error;
    return outcome.value;
  };
}

function readOutbound(item: unknown, around: Surroundings): NodeDraft {
  const source = asRecord(item);
  if (source === undefined) throw new ProblemError('node.malformed', 'the outbound is not an object');
  const { type, tag, detour, ...rest } = source;
  if (typeof type !== 'string') throw new ProblemError('node.missing-field', 'the type is missing');
  const fields = isNodeType(type) ? singBoxFields[type] : undefined;
  if (!isNodeType(type) || fields === undefined) {
    throw new ProblemError(
      'node.unsupported',
      `outbounds of type ${JSON.stringify(type.slice(0, 32))} are not supported`,
    );
  }
  const shadow = around.shadowTls.get(detour)?.();
  const own = type === 'wireguard' ? asEndpoint(rest) : rest;
  const { known, unknown } = readFields(shadow === undefined ? own : { ...own, ...shadow.address }, fields, '');
  if (known['address'] !== undefined) known['address'] = (known['address'] as string[]).map(withPrefixLength);
  const draft = { id: '', type, ...addressOf(type, known), ...known } as NodeDraft;
  check(draft, known);
  if (typeof tag === 'string') draft.tag = tag;
  if (type === 'wireguard') draft.once = true;
  if (shadow !== undefined) draft.shadow_tls = shadow.shadowTls;
  const next = shadow === undefined ? detour : shadow.detour;
  if (typeof next === 'string' && next !== '' && !around.direct.has(next)) draft.detour = next;
  const extra = [...unknown, ...(shadow?.unknown ?? [])];
  if (extra.length > 0) draft.extra = limited(extra);
  return draft;
}

interface Front {
  /** What is dialled first, and so the address of the node. */
  readonly address: Source;
  readonly shadowTls: ShadowTls;
  readonly detour: unknown;
  readonly unknown: readonly (readonly [string, string])[];
}

/** The `shadowtls` outbound in front of another one; the two are one node. */
function readShadowTls({ type: _type, tag: _tag, detour, ...source }: Source): Front {
  const { known, unknown } = readFields(source, shadowTlsFields, '');
  // Each node behind it carries them again.
  if (unknown.length > maxFrontUnknown)
    throw new ProblemError('node.malformed', 'the ShadowTLS outbound has too many fields that are not known');
  const { server, server_port, version = 1, password, tls } = known;
  if (version !== 1 && version !== 2 && version !== 3)
    throw new ProblemError('node.unsupported', 'the version of ShadowTLS is none of 1, 2 and 3');
  if (version !== 1 && !password) throw new ProblemError('node.missing-field', 'the password of ShadowTLS is missing');
  if ((tls as Tls | undefined)?.enabled !== true) throw new ProblemError('node.missing-field', 'ShadowTLS needs TLS');
  return {
    address: { server, server_port },
    detour,
    shadowTls: { version, tls: tls as Tls, ...(password ? { password: password as string } : {}) },
    unknown: unknown.map(([name, value]) => [`shadow_tls.${name}`, value] as const),
  };
}

/** Type first; then server and port under their own names, wireguard's from its first peer. */
function addressOf(type: NodeType, known: Record<string, unknown>): Pick<NodeDraft, 'server' | 'server_port'> {
  const realm = (known['realm'] as Realm | undefined)?.server_url;
  if (realm !== undefined && URL.canParse(realm)) {
    // Found through a rendezvous server, the node has no address of its own.
    const { hostname, port } = new URL(realm);
    return { server: readServer(hostname), server_port: readPort(port, 443) };
  }
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
  for (const field of requiredFields[draft.type] ?? []) {
    if (known[field] === undefined || known[field] === '')
      throw new ProblemError('node.missing-field', `${field} is missing`);
  }
  if (draft.transport !== undefined && !isTransportType(draft.transport.type)) {
    throw new ProblemError('node.unsupported', `transport ${JSON.stringify(draft.transport.type)} is not known`);
  }
  const { reality } = draft.tls ?? {};
  if (reality?.enabled === true && !reality.public_key) {
    throw new ProblemError('node.missing-field', 'REALITY needs a public key');
  }
  // Switched off it may be without a key, and means nothing.
  if (reality !== undefined && !reality.enabled) delete (draft.tls as { reality?: unknown }).reality;
  if (typeof draft.obfs === 'object' && (!draft.obfs.type || !draft.obfs.password)) {
    throw new ProblemError('node.missing-field', 'obfs needs a type and a password');
  }
  if (draft.realm !== undefined && !(draft.realm.token && draft.realm.realm_id)) {
    throw new ProblemError('node.missing-field', 'a realm needs its address, token and id');
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
