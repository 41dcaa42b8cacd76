import { takeText } from '../params.ts';
import { finishNode, startNode, type ReadNode } from './common.ts';
import { takeUdpOverTcp } from './shadowsocks.ts';
import { optionalTls, takeTls } from './tls.ts';

export const readSocks: ReadNode = (params) => {
  const draft = startNode('socks', params, 1080);
  const version = takeText(params, 'version') ?? '5';
  return finishNode(draft, params, {
    version,
    username: takeText(params, 'username'),
    password: takeText(params, 'password'),
    udp_over_tcp: takeUdpOverTcp(params),
    tls: takeTls(params, optionalTls),
  });
};
