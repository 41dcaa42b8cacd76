import { ProblemError } from '@sbox/core';
import { takeText, type Params } from '../params.ts';
import { finishNode, requireText, startNode, type ReadNode } from './common.ts';
import { optionalTls, takeTls } from './tls.ts';
import { takeTransport } from './transport.ts';

const vision = 'xtls-rprx-vision';

export const readVless: ReadNode = (params) => {
  const draft = startNode('vless', params);
  const tls = takeTls(params, optionalTls);
  return finishNode(draft, params, {
    uuid: requireText(params, 'uuid', 'the user id'),
    flow: takeFlow(params),
    encryption: takeEncryption(params),
    packet_encoding: takePacketEncoding(params),
    tls,
    transport: takeTransport(params, tls),
  });
};

function takeFlow(params: Params): string | undefined {
  const flow = params.get('flow');
  if (flow === undefined || flow === '' || flow === 'none' || flow === vision) {
    takeText(params, 'flow');
    return flow === vision ? vision : undefined;
  }
  // Xray's variant differs only in what the client itself blocks, so the name stays in `extra`.
  if (flow === `${vision}-udp443`) return vision;
  throw new ProblemError(
    'node.unsupported',
    `flow ${JSON.stringify(flow.slice(0, 40))} is one that no engine runs any more`,
  );
}

function takeEncryption(params: Params): string | undefined {
  const encryption = takeText(params, 'encryption');
  return encryption === 'none' || encryption === 'auto' ? undefined : encryption;
}

const packetEncodings = new Map([
  ['none', ''],
  ['packet', 'packetaddr'],
  ['packetaddr', 'packetaddr'],
  ['packet-addr', 'packetaddr'],
  ['xudp', 'xudp'],
]);

export function takePacketEncoding(params: Params): string | undefined {
  const encoding = packetEncodings.get(params.get('packetEncoding')?.toLowerCase() ?? '');
  if (encoding !== undefined) params.delete('packetEncoding');
  return encoding;
}
