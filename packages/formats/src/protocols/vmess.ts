import { takeFlag, takeInt, takeText, type Params } from '../params.ts';
import { finishNode, requireText, startNode, type ReadNode } from './common.ts';
import { takePacketEncoding } from './vless.ts';
import { optionalTls, takeTls } from './tls.ts';
import { takeTransport } from './transport.ts';

const ciphers = new Map([
  ...['auto', 'none', 'zero', 'aes-128-gcm', 'chacha20-poly1305'].map((name) => [name, name] as const),
  ['chacha20-ietf-poly1305', 'chacha20-poly1305'],
  ['', 'auto'],
]);

export const readVmess: ReadNode = (params) => {
  const draft = startNode('vmess', params);
  const tls = takeTls(params, optionalTls);
  return finishNode(draft, params, {
    uuid: requireText(params, 'uuid', 'the user id'),
    security: takeCipher(params),
    alter_id: takeInt(params, 'aid', 65_535) || undefined,
    global_padding: takeFlag(params, 'global-padding') || undefined,
    authenticated_length: takeFlag(params, 'authenticated-length') || undefined,
    packet_encoding: takePacketEncoding(params),
    tls,
    transport: takeTransport(params, tls),
  });
};

/** A cipher that sing-box does not know becomes `auto`, which every server takes; its name stays in `extra`. */
function takeCipher(params: Params): string {
  const cipher = ciphers.get(params.get('scy')?.toLowerCase() ?? '');
  if (cipher !== undefined) takeText(params, 'scy');
  return cipher ?? 'auto';
}
