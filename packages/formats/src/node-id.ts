import type { Sha256, Sha256Text } from '@sbox/core';
import type { NodeFields, Transport } from './node.ts';

const encoder = new TextEncoder();
const digits = encoder.encode('0123456789abcdefghjkmnpqrstvwxyz');
const prefix = encoder.encode('n_');
/** The id that is being made. */
const letters = [...prefix, ...new Uint8Array(16)];

/**
 * The id of a node: `n_` and 80 bits of the SHA-256 over type, server, port, credentials, transport, SNI and REALITY
 * key, and of what stands in front of it (ShadowTLS, realm, detour). Two sources that describe the same node give the
 * same id, whatever they call it.
 */
export function nodeId(node: NodeFields, sha256Text: Sha256Text): string {
  const hash = sha256Text(JSON.stringify(identity(node)));
  for (let at = 0; at < 16; at += 1) letters[prefix.length + at] = digits[hash.charCodeAt(at) & 31] ?? 0;
  // Made at once: a text that was put together from pieces keeps all of them.
  return String.fromCharCode(...letters);
}

/** For callers that can hash nothing but bytes. */
export const textHash =
  (sha256: Sha256): Sha256Text =>
  (text) =>
    String.fromCharCode(...sha256(encoder.encode(text)));

function identity(node: NodeFields): readonly unknown[] {
  const usual = usualIdentity(node);
  // Looked at here because nearly all nodes are of these kinds and have none of it.
  if (node.detour === undefined && node.shadow_tls === undefined && usualTypes.has(node.type) && !node.realm)
    return usual;
  const added = addedIdentity(node);
  return added.length === 0 ? usual : [...usual, added];
}

const usualTypes: ReadonlySet<string> = new Set(['shadowsocks', 'vmess', 'vless', 'trojan', 'hysteria2', 'tuic']);

/** Filled anew for each node, because lists of their own were a sixth of the garbage that reading a link leaves. */
const usual: unknown[] = [];
const credentials: unknown[] = [];
const noPlugin: readonly unknown[] = [undefined, undefined];

/** Never to be changed: the ids of all nodes that exist hang on it. Valid until the next call. */
function usualIdentity(node: NodeFields): readonly unknown[] {
  const { server, tls, obfs } = node;
  credentials[0] = node.username ?? node.user;
  credentials[1] = node.password;
  credentials[2] = node.method;
  credentials[3] = node.private_key;
  credentials[4] = typeof obfs === 'string' ? undefined : obfs?.password;
  usual[0] = node.type;
  usual[1] = server.toLowerCase();
  usual[2] = node.server_ports ?? node.server_port;
  usual[3] = node.uuid?.toLowerCase();
  usual[4] = credentials;
  usual[5] = node.plugin === undefined && node.plugin_opts === undefined ? noPlugin : [node.plugin, node.plugin_opts];
  usual[6] = transportIdentity(node.transport);
  // Without a server name, clients send the server's.
  usual[7] = tls?.server_name === undefined || tls.server_name === server ? usual[1] : tls.server_name.toLowerCase();
  usual[8] = withoutPadding(tls?.reality?.public_key);
  usual[9] = node.peers?.map((peer) => peer.public_key);
  return usual;
}

/** What only some nodes have is named and counts only where it is set, so that a new field changes no other id. */
function addedIdentity(node: NodeFields): readonly unknown[] {
  const added: unknown[] = [];
  for (const field of addedFields) if (node[field] !== undefined) added.push(field, node[field]);
  if (typeof node.obfs === 'string') added.push('obfs', node.obfs);
  if (node.shadow_tls !== undefined) {
    const { version, password, tls } = node.shadow_tls;
    added.push('shadow_tls', [version, password, tls.server_name?.toLowerCase()]);
  }
  if (node.realm !== undefined) added.push('realm', [node.realm.server_url, node.realm.realm_id, node.realm.token]);
  return added;
}

const addedFields = [
  'psk',
  'auth',
  'auth_str',
  'protocol',
  'protocol_param',
  'obfs_param',
  'obfs_mode',
  'obfs_host',
  'amnezia',
  'detour',
] as const satisfies readonly (keyof NodeFields)[];

const withoutPadding = (key: string | undefined): string | undefined =>
  key?.endsWith('=') === true ? key.replace(/=+$/, '') : key;

const transportIdentity = (transport: Transport | undefined): readonly unknown[] | undefined =>
  transport === undefined
    ? undefined
    : [
        transport.type,
        transport.path ?? '/',
        typeof transport.host === 'string' ? [transport.host] : (transport.host ?? hostHeader(transport.headers)),
        transport.service_name,
      ];

function hostHeader(headers: Readonly<Record<string, string>> | undefined): readonly string[] {
  const hosts: string[] = [];
  for (const name in headers) if (name.toLowerCase() === 'host') hosts.push(headers[name] ?? '');
  return hosts;
}
