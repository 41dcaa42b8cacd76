import { takeText } from '../params.ts';
import { finishNode, requireText, startNode, type ReadNode } from './common.ts';
import { quicTls, takeTls } from './tls.ts';

export const readJuicity: ReadNode = (params) =>
  finishNode(startNode('juicity', params, 443), params, {
    uuid: requireText(params, 'uuid', 'the user id'),
    password: takeText(params, 'password') ?? '',
    congestion_control: takeText(params, 'congestion_control'),
    pin_cert_sha256: takeText(params, 'pin_cert_sha256'),
    tls: takeTls(params, quicTls),
  });
