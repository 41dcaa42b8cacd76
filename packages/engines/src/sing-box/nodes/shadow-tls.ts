import type { Node } from '@sbox/formats';
import { lacking } from './capability-table.ts';
import { int, invalid, object, text, unsupported, type Complaint } from './fields.ts';
import type { Profile } from '../profile.ts';
import { shadowedTls } from './tls-fields.ts';

/** What speaks one TCP stream to its server, so that another program's stream can carry it. */
const carried = new Set<string>(['shadowsocks', 'vmess', 'vless', 'trojan', 'snell', 'socks', 'http']);

const fields = object({ version: int(1, 3), password: text, tls: shadowedTls }, ['version', 'tls']);

type ShadowTls = NonNullable<Node['shadow_tls']>;

/** Why a node cannot go through the ShadowTLS that it names. */
export function shadowTlsComplaint(node: Node, shadowTls: ShadowTls, profile: Profile): Complaint | undefined {
  const lack = lacking('feature', 'shadow_tls', profile);
  if (lack !== undefined) return unsupported(lack);
  const inner = innerOf(node);
  if (inner !== undefined) return unsupported(`${inner} does not go through ShadowTLS`);
  const complaint = fields(shadowTls, 'shadow_tls', profile);
  if (complaint !== undefined) return complaint;
  return shadowTls.version > 1 && !shadowTls.password ? invalid('shadow_tls.password', 'must not be empty') : undefined;
}

/** The part of the node that needs the connection for itself. */
function innerOf({ type, transport, flow, tls: innerTls, plugin }: Node): string | undefined {
  if (!carried.has(type)) return type;
  if (transport?.type === 'http' || transport?.type === 'grpc' || transport?.type === 'quic') {
    return `transport.type ${transport.type}`;
  }
  if (flow) return 'flow';
  if (innerTls?.reality?.enabled === true) return 'tls.reality';
  return plugin ? 'plugin' : undefined;
}
