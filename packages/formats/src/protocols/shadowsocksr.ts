import { takeText } from '../params.ts';
import { finishNode, requireText, startNode, type ReadNode } from './common.ts';

/** ShadowsocksR: a cipher between a layer that changes the protocol and one that hides it. */
export const readShadowsocksR: ReadNode = (params) =>
  finishNode(startNode('shadowsocksr', params), params, {
    method: requireText(params, 'method', 'the cipher').toLowerCase(),
    password: requireText(params, 'password', 'the password'),
    protocol: (takeText(params, 'protocol') ?? 'origin').toLowerCase(),
    protocol_param: takeText(params, 'protocol-param'),
    obfs: (takeText(params, 'obfs') ?? 'plain').toLowerCase(),
    obfs_param: takeText(params, 'obfs-param'),
  });
