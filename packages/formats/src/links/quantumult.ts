import { ProblemError } from '@sbox/core';
import { addParam, spellings, takeFlag, takeText, type Params } from '../params.ts';
import type { SplitLink } from './split-link.ts';

const names = spellings({
  name: ['tag'],
  security: ['over-tls'],
  sni: ['tls-host'],
  type: ['obfs'],
  path: ['obfs-path', 'obfs-uri'],
  host: ['obfs-host'],
  aid: ['alterId'],
  tfo: ['fast-open'],
  udp: ['udp-relay'],
});

/** Whether the text behind the base64 is Quantumult's: `name = vmess, host, port, cipher, "uuid", key=value..`. */
export const isQuantumult = (text: string): boolean => /^[^={]*=\s*vmess\s*,/i.test(text);

/** Quantumult's form of vmess. @throws ProblemError `node.malformed`, `node.unsupported` */
export function quantumultParams(link: SplitLink, text: string): Params {
  const equals = text.indexOf('=');
  const [, server = '', port = '', cipher = '', id = '', ...options] = fieldsOf(text.slice(equals + 1));
  const params: Params = new Map([
    ['server', server],
    ['port', port],
    ['scy', cipher],
    ['uuid', id],
  ]);
  for (const option of options) {
    const cut = option.indexOf('=');
    if (cut > 0) addParam(params, option.slice(0, cut).trim(), unquote(option.slice(cut + 1)), names);
    else if (option !== '') throw new ProblemError('node.malformed', 'an option behind the user id has no value');
  }
  params.set('name', link.name === '' ? text.slice(0, equals).trim() : link.name);
  straighten(params);
  return params;
}

/** Splits at commas outside of quotes. */
const fieldsOf = (text: string): readonly string[] => (text.match(/(?:"[^"]*"|[^,"])+/g) ?? []).map(unquote);

const unquote = (text: string): string => text.trim().replace(/^"(.*)"$/s, '$1');

function straighten(params: Params): void {
  params.set('security', takeFlag(params, 'security') === true ? 'tls' : '');
  // Two spellings of "check the certificate", one of which older versions wrote.
  const checks = [takeFlag(params, 'tls-verification'), takeFlag(params, 'certificate')];
  if (checks.includes(false)) params.set('insecure', '1');
  if (params.get('type') === 'http') {
    params.set('type', 'tcp');
    params.set('headerType', 'http');
  }
  const header = takeText(params, 'obfs-header');
  const host = /(?:^|\[Rr\]\[Nn\]|\r?\n)\s*Host:\s*([^[\r\n]+)/i.exec(header ?? '')?.[1]?.trim();
  if (host !== undefined && !params.get('host')) params.set('host', host);
  else if (header !== undefined) params.set('obfs-header', header);
}
