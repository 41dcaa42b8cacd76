import { ProblemError } from '@sbox/core';
import type { NodeDraft } from '../node.ts';
import { addParam, spellings, takeFlag, takeText, type Params, type Spellings } from '../params.ts';
import { readVmess } from '../protocols/vmess.ts';
import { decodeBase64 } from '../text/base64.ts';
import { decodePercent } from '../text/percent.ts';
import { parseJsonObject, settingText, type JsonObject } from './json-object.ts';
import { startLinkParams } from './link-params.ts';
import { isQuantumult, quantumultParams } from './quantumult.ts';
import { shadowrocketParams } from './shadowrocket.ts';
import { vmessSpellings } from './spellings.ts';
import { linkParams, requireUser, setAddress, splitAuthority, type SplitLink } from './split-link.ts';

/**
 * v2rayN's `vmess://base64(JSON)`, the URI form with vless' parameters, Shadowrocket's and Quantumult's.
 * @see https://github.com/2dust/v2rayN/wiki/Description-of-VMess-share-link
 */
export function parseVmessLink(link: SplitLink): NodeDraft {
  if (link.body.includes('@')) return readVmess(uriParams(link, vmessSpellings));
  const text = decodeBase64(decodePercent(link.body.endsWith('/') ? link.body.slice(0, -1) : link.body))?.trimStart();
  const json = text?.startsWith('{') === true ? parseJsonObject(text) : undefined;
  if (json !== undefined) return readVmess(v2rayParams(link, json));
  if (text !== undefined && isQuantumult(text)) return readVmess(quantumultParams(link, text));
  return readVmess(shadowrocketParams(link));
}

/** Kitsunebi's `vmess1://uuid@host:port/path?network=ws&tls=true&ws.host=..`. */
export function parseKitsunebiLink(link: SplitLink): NodeDraft {
  const params = uriParams(link, kitsunebiSpellings);
  const slash = link.body.indexOf('/', link.body.lastIndexOf('@'));
  if (slash >= 0 && slash < link.body.length - 1 && !params.get('path')) {
    params.set('path', decodePercent(link.body.slice(slash)));
  }
  params.set('security', takeFlag(params, 'security') === true ? 'tls' : '');
  return readVmess(params);
}

function uriParams(link: SplitLink, names: Spellings): Params {
  const authority = splitAuthority(link.body);
  const params = linkParams(link, names);
  params.set('uuid', requireUser(authority, 'the user id'));
  setAddress(params, authority);
  return params;
}

const kitsunebiSpellings = spellings({
  name: ['remarks'],
  type: ['network'],
  security: ['tls'],
  sni: ['tls.servername', 'tls.server-name'],
  insecure: ['tls.allowinsecure', 'allowInsecure'],
  host: ['ws.host', 'http.host', 'h2.host'],
  path: ['ws.path', 'http.path', 'h2.path'],
  scy: ['encryption', 'security', 'cipher'],
  aid: ['alterId'],
});

const jsonSpellings = spellings({
  v: [],
  name: ['ps', 'remarks'],
  server: ['add', 'address'],
  port: [],
  uuid: ['id'],
  aid: ['alterId'],
  scy: ['cipher'],
  type: ['net', 'network'],
  // `type` of the JSON is the camouflage; the key `headerType` must not be hidden by it.
  headerType: ['type'],
  security: ['tls'],
  sni: ['peer', 'serverName'],
  insecure: ['allowInsecure', 'skip-cert-verify'],
  host: [],
  path: [],
  alpn: [],
  fp: [],
  pbk: [],
  sid: [],
});

function v2rayParams(link: SplitLink, json: JsonObject): Params {
  const query = link.query === '' ? [] : [...linkParams(link, jsonSpellings)];
  const params = startLinkParams();
  for (const key in json) addParam(params, key, settingText(json[key]), jsonSpellings);
  for (const [key, value] of query) if (!params.has(key)) params.set(key, value);
  if (link.name !== '') params.set('name', link.name);
  splitOldHost(params);
  fieldsByTransport.get(params.get('type')?.toLowerCase() ?? '')?.(params);
  if (params.get('server') === undefined) throw new ProblemError('node.missing-field', 'the server (add) is missing');
  return params;
}

/** Before version 2 of the format, `host` held host and path. */
function splitOldHost(params: Params): void {
  const version = takeText(params, 'v');
  if (version === '2') return;
  const [host = '', path = ''] = params.get('host')?.split(';') ?? [];
  if (path === '' || params.get('path')) return;
  params.set('host', host.trim());
  params.set('path', path.trim());
}

const rename = (params: Params, from: string, to: string): void => {
  const value = takeText(params, from);
  if (value !== undefined) params.set(to, value);
};

/** The same keys mean other things under some transports. */
const fieldsByTransport = new Map<string, (params: Params) => void>([
  ['grpc', renameGrpc],
  ['gun', renameGrpc],
  ['kcp', (params) => rename(params, 'path', 'seed')],
  ['mkcp', (params) => rename(params, 'path', 'seed')],
  [
    'quic',
    (params) => {
      rename(params, 'host', 'quicSecurity');
      rename(params, 'path', 'key');
    },
  ],
  [
    'http',
    (params) => {
      // Without the camouflage of the same name, this is HTTP/2.
      if (params.get('headerType') === 'http') params.set('type', 'tcp');
    },
  ],
  ['xhttp', renameMode],
  ['splithttp', renameMode],
]);

/** v2rayN writes `none` there under every transport; as a mode it would be none that exists. */
function renameMode(params: Params): void {
  if (params.get('headerType')?.toLowerCase() !== 'none') rename(params, 'headerType', 'mode');
}

function renameGrpc(params: Params): void {
  rename(params, 'path', 'serviceName');
  rename(params, 'host', 'authority');
  renameMode(params);
}
