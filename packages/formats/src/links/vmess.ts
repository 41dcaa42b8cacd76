import { ProblemError } from '@sbox/core';
import type { NodeDraft } from '../node.ts';
import { addParam, spellings, takeText, type Params } from '../params.ts';
import { readVmess } from '../protocols/vmess.ts';
import { decodeBase64 } from '../text/base64.ts';
import { decodePercent } from '../text/percent.ts';
import { readJsonObject } from './json-object.ts';
import { shadowrocketParams } from './shadowrocket.ts';
import { vmessSpellings } from './spellings.ts';
import { linkParams, requireUser, setAddress, splitAuthority, type SplitLink } from './split-link.ts';

/**
 * v2rayN's `vmess://base64(JSON)`, the URI form with vless' parameters, and Shadowrocket's.
 * @see https://github.com/2dust/v2rayN/wiki/Description-of-VMess-share-link
 */
export function parseVmessLink(link: SplitLink): NodeDraft {
  const json = readJsonObject(jsonText(link.body));
  if (json !== undefined) return readVmess(v2rayParams(link, json));
  if (!link.body.includes('@')) return readVmess(shadowrocketParams(link));
  const authority = splitAuthority(link.body);
  const params = linkParams(link, vmessSpellings);
  params.set('uuid', requireUser(authority, 'the user id'));
  setAddress(params, authority);
  return readVmess(params);
}

function jsonText(body: string): string | undefined {
  if (body.includes('@')) return undefined;
  const decoded = decodeBase64(decodePercent(body));
  return decoded?.trimStart().startsWith('{') === true ? decoded : undefined;
}

const jsonSpellings = spellings({
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

function v2rayParams(link: SplitLink, json: ReadonlyMap<string, string>): Params {
  const params: Params = new Map();
  for (const [key, value] of json) addParam(params, key, value, jsonSpellings);
  if (link.name !== '') params.set('name', link.name);
  splitOldHost(params);
  fieldsByTransport.get(params.get('type')?.toLowerCase() ?? '')?.(params);
  if (params.get('server') === undefined) throw new ProblemError('node.missing-field', 'the server (add) is missing');
  return params;
}

/** Before version 2 of the format, `host` held host and path. */
function splitOldHost(params: Params): void {
  const version = takeText(params, 'v');
  const [host = '', path = ''] = params.get('host')?.split(';') ?? [];
  if (version === '2' || path === '' || params.get('path')) return;
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
  ['xhttp', (params) => rename(params, 'headerType', 'mode')],
  ['splithttp', (params) => rename(params, 'headerType', 'mode')],
]);

function renameGrpc(params: Params): void {
  rename(params, 'path', 'serviceName');
  rename(params, 'host', 'authority');
  rename(params, 'headerType', 'mode');
}
