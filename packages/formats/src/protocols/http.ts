import { takeText } from '../params.ts';
import { finishNode, startNode, type ReadNode } from './common.ts';
import { optionalTls, takeTls } from './tls.ts';
import { headerPrefix } from './transport.ts';

export const readHttp: ReadNode = (params) => {
  const tls = params.get('security');
  const draft = startNode('http', params, tls === 'tls' ? 443 : 80);
  const headers = [...params].filter(([key]) => key.startsWith(headerPrefix));
  for (const [key] of headers) params.delete(key);
  return finishNode(draft, params, {
    username: takeText(params, 'username'),
    password: takeText(params, 'password'),
    path: takeText(params, 'path'),
    headers:
      headers.length === 0
        ? undefined
        : Object.fromEntries(headers.map(([key, value]) => [key.slice(headerPrefix.length), value])),
    tls: takeTls(params, optionalTls),
  });
};
