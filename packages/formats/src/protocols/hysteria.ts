import { ProblemError } from '@sbox/core';
import { requireText, finishNode, startNode, takeMbps, type ReadNode } from './common.ts';
import { takeFlag, takeInt, takeText, type Params } from '../params.ts';
import { firstPort, takeHopInterval, takePortRanges } from './hopping.ts';
import { quicTls, takeTls } from './tls.ts';

/** Hysteria version 1. `obfs` names the method, of which there is one; `obfs-password` is what sing-box calls `obfs`. */
export const readHysteria: ReadNode = (params) => {
  const ports = takePortRanges(params);
  const draft = startNode('hysteria', params, firstPort(ports) ?? 443);
  const [hopInterval] = takeHopInterval(params);
  const protocol = takeText(params, 'protocol');
  return finishNode(draft, params, {
    auth: takeText(params, 'auth'),
    auth_str: takeText(params, 'auth_str'),
    obfs: takeObfsPassword(params),
    up_mbps: takeMbps(params, 'up'),
    down_mbps: takeMbps(params, 'down'),
    recv_window_conn: takeInt(params, 'recv-window-conn'),
    recv_window: takeInt(params, 'recv-window'),
    disable_mtu_discovery: takeFlag(params, 'disable-mtu-discovery') || undefined,
    protocol: protocol === 'udp' ? undefined : protocol,
    server_ports: ports,
    hop_interval: hopInterval,
    tls: takeTls(params, quicTls),
  });
};

function takeObfsPassword(params: Params): string | undefined {
  const method = takeText(params, 'obfs');
  if (method !== undefined && method !== 'xplus' && method !== 'none') {
    throw new ProblemError('node.unsupported', `obfuscation ${JSON.stringify(method.slice(0, 40))} is not known`);
  }
  return method === 'xplus'
    ? requireText(params, 'obfs-password', 'the obfuscation password')
    : takeText(params, 'obfs-password');
}
