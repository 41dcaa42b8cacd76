import { ProblemError } from '@sbox/core';
import type { Obfs, Realm } from '../node.ts';
import { setFields, takeInt, takeList, takeText, type Params } from '../params.ts';
import { finishNode, requireText, startNode, takeMbps, type ReadNode } from './common.ts';
import { firstPort, takeHopInterval, takePortRanges } from './hopping.ts';
import { quicTls, takeTls } from './tls.ts';

export const readHysteria2: ReadNode = (params) => {
  const ports = takePortRanges(params);
  const draft = startNode('hysteria2', params, firstPort(ports) ?? 443);
  const [hopInterval, hopIntervalMax] = takeHopInterval(params);
  return finishNode(draft, params, {
    password: takeText(params, 'password'),
    obfs: takeObfs(params),
    up_mbps: takeMbps(params, 'up'),
    down_mbps: takeMbps(params, 'down'),
    server_ports: ports,
    hop_interval: hopInterval,
    hop_interval_max: hopIntervalMax,
    realm: takeRealm(params),
    tls: takeTls(params, quicTls),
  });
};

const obfsTypes: ReadonlySet<string> = new Set(['salamander', 'gecko']);

function takeObfs(params: Params): Obfs | undefined {
  const type = takeText(params, 'obfs');
  if (type === undefined || type === 'none') return undefined;
  if (!obfsTypes.has(type)) {
    throw new ProblemError('node.unsupported', `obfuscation ${JSON.stringify(type.slice(0, 40))} is not known`);
  }
  return setFields<{ -readonly [Key in keyof Obfs]: Obfs[Key] }>(
    { type, password: requireText(params, 'obfs-password', 'the obfuscation password') },
    {
      min_packet_size: takeInt(params, 'obfs-min-packet-size', 65_535),
      max_packet_size: takeInt(params, 'obfs-max-packet-size', 65_535),
    },
  );
}

/** A server without an address of its own, which a rendezvous server introduces. */
function takeRealm(params: Params): Realm | undefined {
  const server_url = takeText(params, 'realm-server-url');
  if (server_url === undefined) return undefined;
  const stun_servers = takeList(params, 'stun');
  return {
    server_url,
    token: requireText(params, 'realm-token', 'the token of the realm'),
    realm_id: requireText(params, 'realm-id', 'the id of the realm'),
    ...(stun_servers === undefined ? {} : { stun_servers }),
  };
}
