import { ProblemError } from '@sbox/core';
import type { Collector } from '../collector.ts';
import type { Limits } from '../limits.ts';
import type { NodeDraft } from '../node.ts';
import { addParam, takeFlag, takeText, type Params } from '../params.ts';
import { pluginOptions } from '../protocols/shadowsocks.ts';
import { splitCommaFields } from './comma-fields.ts';
import { splitEndpoint } from './endpoint.ts';
import { forEachIniLine, refuseLongLine, splitAssignment } from './ini.ts';
import { lineTypes } from './surge-fields.ts';

/** `[server_local]` of a configuration of Quantumult X. */
export function readQuantumultX(text: string, collector: Collector, limits: Limits): void {
  forEachIniLine(text, ({ section, text: line, number }) => {
    if (section === 'policy') collector.addOther(groupName(line), 'a group');
    if (section !== 'server_local') return;
    collector.add(number, line, () => {
      refuseLongLine(line, limits);
      return readQuantumultXLine(line);
    });
  });
}

/** `static=name, a, b, ...`. */
const groupName = (line: string): string => /^[^=]*=\s*"?([^,"]*)/.exec(line)?.[1]?.trim() ?? '';

const lineStart = /^(shadowsocks|vmess|vless|trojan|http|socks5|anytls)\s*=\s*[^,=\s]{1,256}:\d+\s*(?:,|$)/i;

export const isQuantumultXLine = (line: string): boolean => lineStart.test(line);

/**
 * `type=server:port, method=.., password=.., obfs=.., tag=name`.
 * @see https://github.com/crossutility/Quantumult-X/blob/master/sample.conf
 * @throws ProblemError `node.*`
 */
export function readQuantumultXLine(line: string): NodeDraft {
  const [typeName = '', rest = ''] = splitAssignment(line) ?? [];
  const { plain, pairs } = splitCommaFields(rest);
  const isSsr = pairs.some(([key]) => key.toLowerCase() === 'ssr-protocol');
  const type = lineTypes.get(isSsr ? 'ssr' : typeName.toLowerCase());
  if (type === undefined || !types.has(typeName.toLowerCase())) {
    throw new ProblemError(
      'node.unsupported',
      `servers of type ${JSON.stringify(typeName.slice(0, 32))} are not supported`,
    );
  }
  const params: Params = new Map();
  const { host, port } = splitEndpoint(plain[0] ?? '');
  params.set('server', host);
  params.set('port', port);
  for (const [key, value] of pairs) addParam(params, key, value, type.names);
  const name = takeText(params, 'tag');
  if (name !== undefined) params.set('name', name);
  if (takeFlag(params, 'tls-verification') === false) params.set('insecure', 'true');
  if (takeFlag(params, 'aead') === false) params.set('aid', '1');
  setUdpOverTcp(params);
  setObfs(params, type.type);
  return type.read(params);
}

const types: ReadonlySet<string> = new Set('shadowsocks vmess vless trojan http socks5 anytls'.split(' '));

/** `sp.v2` is version 2 of what sing-box does; `true` is the first. */
function setUdpOverTcp(params: Params): void {
  const version = /^sp\.v([12])$/.exec(params.get('uot') ?? '')?.[1];
  if (version === undefined) return;
  params.set('uot', 'true');
  params.set('uot_version', version);
}

/** One word says transport and TLS together. */
function setObfs(params: Params, type: string): void {
  const obfs = params.get('obfs')?.toLowerCase() ?? '';
  if (type === 'shadowsocksr') {
    const param = takeText(params, 'obfs-host');
    if (param !== undefined) params.set('obfs-param', param);
    return;
  }
  if (!obfses.has(obfs)) return;
  params.delete('obfs');
  const host = takeText(params, 'obfs-host');
  const path = takeText(params, 'obfs-uri');
  const hasTls = obfs === 'wss' || obfs === 'over-tls';
  if (type === 'shadowsocks' && obfs !== 'over-tls') {
    setPlugin(params, obfs, { host, path });
    return;
  }
  if (hasTls) params.set('security', 'tls');
  if (hasTls && host !== undefined && !params.get('sni')) params.set('sni', host);
  if (obfs === 'over-tls') return;
  const isWs = obfs === 'ws' || obfs === 'wss';
  params.set('type', isWs ? 'ws' : 'tcp');
  if (!isWs) params.set('headerType', 'http');
  if (host !== undefined) params.set('host', host);
  if (path !== undefined) params.set('path', path);
}

const obfses: ReadonlySet<string> = new Set('http vmess-http vemss-http tls ws wss over-tls'.split(' '));

function setPlugin(
  params: Params,
  obfs: string,
  { host = '', path = '' }: { host: string | undefined; path: string | undefined },
): void {
  const isWs = obfs === 'ws' || obfs === 'wss';
  const sni = isWs ? takeText(params, 'sni') : undefined;
  const options: (readonly [string, string])[] = isWs
    ? [
        ['mode', 'websocket'],
        ['tls', obfs === 'wss' ? 'true' : ''],
        ['host', host || (sni ?? '')],
        ['path', path],
      ]
    : [
        ['obfs', obfs === 'tls' ? 'tls' : 'http'],
        ['obfs-host', host],
        ['obfs-uri', path],
      ];
  params.set('plugin', isWs ? 'v2ray-plugin' : 'obfs-local');
  params.set('plugin_opts', pluginOptions(options.filter(([, value]) => value !== '')));
}
