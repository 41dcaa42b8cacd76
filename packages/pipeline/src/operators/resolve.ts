import type { Node, Tls, Transport } from '@sbox/formats';
import type { OperatorOf } from '@sbox/protocol/pipeline';
import { isAddress } from '../networks.ts';
import type { CompilePattern } from '../regex.ts';
import { matchTest, type Step } from './step.ts';

type Family = NonNullable<OperatorOf<'resolve'>['family']>;

const isIpv6 = (address: string): boolean => address.includes(':');
const inFamily: Readonly<Record<Family, (address: string) => boolean>> = {
  any: () => true,
  ipv4: (address) => !isIpv6(address),
  ipv6: isIpv6,
};

export function compileResolve(operator: OperatorOf<'resolve'>, pattern: CompilePattern): Step {
  const { family = 'any', on_failure = 'keep', ip_only = false } = operator;
  const isMatch = matchTest(operator.match, pattern);
  return (nodes, { note, addresses, wanted }) =>
    nodes.flatMap((piped) => {
      const { server } = piped.node;
      if (!isMatch(piped) || server === '') return [piped];
      if (isAddress(server)) {
        if (!ip_only || inFamily[family](server)) return [piped];
        note(piped, 'dropped', () => `${server} is not ${family}`);
        return [];
      }
      if (wanted) {
        wanted.add(server);
        return [piped];
      }
      const address = pick(addresses.get(server) ?? [], family);
      if (address !== undefined) {
        note(piped, 'changed', () => `${server} is ${address}`);
        return [{ ...piped, node: atAddress(piped.node, address) }];
      }
      const isDropped = ip_only || on_failure === 'drop';
      const lack = `${server} has no ${family === 'any' ? '' : `${family} `}address`;
      if (isDropped) note(piped, 'dropped', () => lack);
      else note(piped, 'changed', () => `${lack}; the node keeps the name`);
      return isDropped ? [] : [piped];
    });
}

function pick(addresses: readonly string[], family: Family): string | undefined {
  const usable = addresses.filter((address) => isAddress(address) && inFamily[family](address));
  return usable.find((address) => !isIpv6(address)) ?? usable[0];
}

/** The node at an address; what clients would have taken from the host name is written out. */
function atAddress(node: Node, address: string): Node {
  const { server, tls, transport, shadow_tls, peers } = node;
  return {
    ...node,
    server: address,
    ...(tls === undefined ? {} : { tls: withServerName(tls, server) }),
    ...(transport === undefined ? {} : { transport: withHost(transport, server, tls) }),
    ...(shadow_tls === undefined ? {} : { shadow_tls: { ...shadow_tls, tls: withServerName(shadow_tls.tls, server) } }),
    ...(peers === undefined
      ? {}
      : { peers: peers.map((peer) => (peer.address === server ? { ...peer, address } : peer)) }),
  };
}

const withServerName = (tls: Tls, server: string): Tls =>
  tls.enabled && tls.server_name === undefined ? { ...tls, server_name: server } : tls;

/**
 * Transports that name a host in their requests. Without one, sing-box names the server in WebSocket and plain HTTP, a
 * word of its own in HTTP/2, and the name in TLS before the server in the others.
 */
function withHost(transport: Transport, server: string, tls: Tls | undefined): Transport {
  const { type, headers = {} } = transport;
  if (transport.host !== undefined || Object.keys(headers).some((name) => name.toLowerCase() === 'host'))
    return transport;
  if (type === 'ws') return { ...transport, headers: { ...headers, Host: server } };
  if (type === 'http') return tls?.enabled === true ? transport : { ...transport, host: [server] };
  if (type !== 'httpupgrade' && type !== 'xhttp') return transport;
  return { ...transport, host: (tls?.enabled === true ? tls.server_name : undefined) ?? server };
}
