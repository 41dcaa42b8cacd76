import { ProblemError } from '@sbox/core';
import type { NodeDraft } from '../node.ts';
import { addParam, spellings, type Params } from '../params.ts';
import { readShadowsocksR } from '../protocols/shadowsocksr.ts';
import { decodeBase64 } from '../text/base64.ts';
import { decodePercent } from '../text/percent.ts';
import type { SplitLink } from './split-link.ts';

const names = spellings({
  name: ['remarks'],
  'obfs-param': ['obfsparam'],
  'protocol-param': ['protoparam'],
});
const encoded: ReadonlySet<string> = new Set(['remarks', 'group', 'obfsparam', 'protoparam']);

/**
 * `ssr://base64(host:port:protocol:cipher:obfs:base64(password)/?obfsparam=..&protoparam=..&remarks=..&group=..)`.
 * @see https://github.com/shadowsocksrr/shadowsocks-rss/wiki/SSR-QRcode-scheme
 */
export function parseShadowsocksRLink(link: SplitLink): NodeDraft {
  const text = decodeBase64(decodePercent(link.body)) ?? decodeBase64(decodePercent(link.body.replace(/\/$/, '')));
  if (text === undefined) throw new ProblemError('node.malformed', 'the part after ssr:// is not base64');
  const [, main = '', query = ''] = /^(.*?)(?:\/?\?(.*)|\/)?$/s.exec(text.trim()) ?? [];
  const params = queryParams(query);
  if (link.name !== '') params.set('name', link.name);
  // An IPv6 address holds colons itself, so the fields count from the right.
  const [password, obfs, method, protocol, port, ...host] = main.split(':').toReversed();
  if (port === undefined || host.length === 0) {
    throw new ProblemError('node.malformed', 'it is not server:port:protocol:cipher:obfuscation:password inside');
  }
  const fields = {
    server: host.toReversed().join(':'),
    port,
    protocol,
    method,
    obfs,
    password: decode(password ?? ''),
  };
  for (const [key, value] of Object.entries(fields)) params.set(key, value ?? '');
  return readShadowsocksR(params);
}

function queryParams(query: string): Params {
  const params: Params = new Map();
  for (const pair of query.split('&')) {
    const [, key = '', value = ''] = /^([^=]*)=?(.*)$/s.exec(pair) ?? [];
    if (key !== '') addParam(params, key, encoded.has(key.toLowerCase()) ? decode(value) : value, names);
  }
  return params;
}

/** What is not base64 was sent plain. */
const decode = (value: string): string => decodeBase64(decodePercent(value)) ?? value;
