import { finishNode, requireText, startNode, type ReadNode } from './common.ts';
import { takeTls, usualTls } from './tls.ts';
import { takeTransport } from './transport.ts';

export const readTrojan: ReadNode = (params) => {
  const draft = startNode('trojan', params, 443);
  const tls = takeTls(params, usualTls);
  return finishNode(draft, params, {
    password: requireText(params, 'password', 'the password'),
    tls,
    transport: takeTransport(params, tls),
  });
};
