import { ProblemError } from '@sbox/core';
import { takeInt, takeText, type Params } from '../params.ts';
import { finishNode, requireText, startNode, type ReadNode } from './common.ts';
import { firstPort, takePortRanges } from './hopping.ts';

export const readMieru: ReadNode = (params) => {
  const ports = takePortRanges(params);
  return finishNode(startNode('mieru', params, firstPort(ports)), params, {
    username: requireText(params, 'username', 'the user name'),
    password: requireText(params, 'password', 'the password'),
    protocol: takeCarrier(params),
    server_ports: ports,
    mtu: takeInt(params, 'mtu', 65_535) || undefined,
  });
};

function takeCarrier(params: Params): string {
  const carrier = takeText(params, 'protocol')?.toUpperCase() ?? 'TCP';
  if (carrier === 'TCP' || carrier === 'UDP') return carrier;
  throw new ProblemError('node.unsupported', `mieru over ${JSON.stringify(carrier.slice(0, 40))} is not known`);
}
