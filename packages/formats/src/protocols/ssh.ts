import { takeList, takeText, type Params } from '../params.ts';
import { finishNode, startNode, type ReadNode } from './common.ts';

export const readSsh: ReadNode = (params) =>
  finishNode(startNode('ssh', params, 22), params, {
    user: takeText(params, 'username'),
    password: takeText(params, 'password'),
    private_key: takePrivateKey(params),
    private_key_passphrase: takeText(params, 'private_key_passphrase'),
    host_key: takeList(params, 'host_key'),
    host_key_algorithms: takeList(params, 'host_key_algorithms'),
    client_version: takeText(params, 'client_version'),
  });

/** PEM text. Links carry only what is between its first and last line, or its line feeds as `\n`. */
function takePrivateKey(params: Params): string | undefined {
  const key = takeText(params, 'private_key')
    ?.replaceAll(String.raw`\n`, '\n')
    .trim();
  if (key === undefined || key.startsWith('-----BEGIN ')) return key;
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${key}\n-----END OPENSSH PRIVATE KEY-----`;
}
