import type { Sha256 } from '@sbox/core';
import type { NodeFields, Transport } from './node.ts';

const digits = '0123456789abcdefghjkmnpqrstvwxyz';
const encoder = new TextEncoder();

/**
 * The id of a node: `n_` and 80 bits of the SHA-256 over type, server, port, credentials, transport, SNI and REALITY
 * key. Two sources that describe the same node give the same id, whatever they call it.
 */
export function nodeId(node: NodeFields, sha256: Sha256): string {
  const hash = sha256(encoder.encode(JSON.stringify(identity(node))));
  let id = 'n_';
  for (const byte of hash.subarray(0, 16)) id += digits.charAt(byte & 31);
  return id;
}

const identity = (node: NodeFields): readonly unknown[] => [
  node.type,
  node.server.toLowerCase(),
  node.server_ports ?? node.server_port,
  node.uuid?.toLowerCase(),
  [node.username ?? node.user, node.password, node.method, node.private_key, node.obfs?.password],
  [node.plugin, node.plugin_opts],
  transportIdentity(node.transport),
  // Without a server name, clients send the server's.
  (node.tls?.server_name ?? node.server).toLowerCase(),
  node.tls?.reality?.public_key.replace(/=+$/, ''),
  node.peers?.map((peer) => peer.public_key),
];

const transportIdentity = (transport: Transport | undefined): readonly unknown[] | undefined =>
  transport === undefined
    ? undefined
    : [
        transport.type,
        transport.path ?? '/',
        transport.host === undefined ? hostHeader(transport.headers) : [transport.host].flat(),
        transport.service_name,
      ];

const hostHeader = (headers: Readonly<Record<string, string>> | undefined): readonly string[] =>
  Object.entries(headers ?? {}).flatMap(([name, value]) => (name.toLowerCase() === 'host' ? [value] : []));
