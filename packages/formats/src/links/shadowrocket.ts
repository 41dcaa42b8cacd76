import { ProblemError } from '@sbox/core';
import { spellings, takeFlag, takeText, type Params, type Spellings } from '../params.ts';
import { decodeBase64 } from '../text/base64.ts';
import { linkParams, setAddress, splitAuthority, type SplitLink } from './split-link.ts';

const shadowrocketNames = {
  name: ['remarks', 'remark'],
  type: ['obfs'],
  host: ['obfsParam'],
  security: ['tls'],
  sni: ['peer'],
  aid: ['alterId'],
  insecure: ['allowInsecure'],
  path: [],
  pbk: [],
  sid: [],
  fp: [],
  alpn: [],
  tfo: [],
  udp: [],
} as const;
const shadowrocketSpellings: Spellings = spellings(shadowrocketNames);

/**
 * Shadowrocket's form of vmess and vless: base64 of `cipher:uuid@host:port` and a query of its own.
 * @throws ProblemError `node.malformed` when the body is not base64 of that.
 */
export function shadowrocketParams(link: SplitLink): Params {
  const authority = splitAuthority(decodeBase64(link.body) ?? '');
  const colon = authority.user?.indexOf(':') ?? -1;
  if (authority.user === undefined || colon < 0) {
    throw new ProblemError('node.malformed', 'the part after :// is neither user@server:port nor base64 of it');
  }
  const params = linkParams(link, shadowrocketSpellings);
  params.set('scy', authority.user.slice(0, colon));
  params.set('uuid', authority.user.slice(colon + 1));
  setAddress(params, authority);
  if (params.get('type') === 'http') asHttpObfuscation(params);
  if (params.get('type') === 'grpc' && !params.get('serviceName')) asService(params);
  setHost(params);
  const flow = flows.get(params.get('xtls') ?? '');
  if (flow !== undefined) {
    params.delete('xtls');
    params.set('flow', flow);
  }
  if (takeFlag(params, 'security') === true) params.set('security', 'tls');
  return params;
}

/** Its numbers of XTLS; the first is one that no engine runs any more, which the reader of vless says. */
const flows = new Map([
  ['0', ''],
  ['1', 'xtls-rprx-direct'],
  ['2', 'xtls-rprx-vision'],
]);

function asHttpObfuscation(params: Params): void {
  params.set('type', 'tcp');
  params.set('headerType', 'http');
}

/** With gRPC, the path is the name of the service. */
function asService(params: Params): void {
  const path = takeText(params, 'path');
  if (path !== undefined) params.set('serviceName', path);
}

/** `obfsParam` is a host name, or JSON of headers. */
function setHost(params: Params): void {
  const host = /^\s*\{.*"host"\s*:\s*"([^"]*)"/is.exec(params.get('host') ?? '')?.[1];
  if (host !== undefined) params.set('host', host);
}
