import { ProblemError } from '@sbox/core';
import type { Tls } from '../node.ts';
import { hasOnlyName, setFields, takeFlag, takeList, takeText, type Params } from '../params.ts';

/** How a protocol stands to TLS when the source says nothing, and whether uTLS can be used (QUIC has no place for it). */
export interface TlsRule {
  readonly whenUnset: boolean;
  readonly always?: boolean;
  readonly utls?: boolean;
}

export const optionalTls: TlsRule = { whenUnset: false, utls: true };
export const usualTls: TlsRule = { whenUnset: true, utls: true };
export const quicTls: TlsRule = { whenUnset: true, always: true };

const securities = new Map([
  ['none', false],
  ['off', false],
  ['false', false],
  ['0', false],
  ['tls', true],
  ['xtls', true],
  ['reality', true],
  ['true', true],
  ['1', true],
]);

/** The fingerprints sing-box knows; others stay in `extra`. */
const fingerprints: ReadonlySet<string> = new Set(
  'chrome firefox edge safari 360 qq ios android random randomized'.split(' '),
);

/** Reads the TLS parameters. Undefined when TLS is off; they then stay among the others. */
export function takeTls(params: Params, rule: TlsRule): Tls | undefined {
  const security = params.get('security')?.toLowerCase() ?? '';
  const enabled = security === '' ? rule.whenUnset || params.has('pbk') : securities.get(security);
  if (enabled === undefined) {
    throw new ProblemError('node.invalid-value', `security ${JSON.stringify(security.slice(0, 40))} is not known`);
  }
  params.delete('security');
  if (!enabled && rule.always !== true) return undefined;
  const serverName = takeText(params, 'sni');
  const tls: Tls = serverName === undefined ? { enabled: true } : { enabled: true, server_name: serverName };
  const reality = takeReality(params, security);
  if (reality === undefined && hasOnlyName(params)) return tls;
  return setFields<Writable<Tls>>(tls, {
    disable_sni: takeFlag(params, 'disable_sni') || undefined,
    insecure: takeFlag(params, 'insecure') || undefined,
    alpn: takeList(params, 'alpn'),
    utls: rule.utls === true ? takeUtls(params, 'fp', reality !== undefined) : undefined,
    reality,
    ech: takeEch(params),
  });
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

function takeReality(params: Params, security: string): Tls['reality'] {
  const publicKey = takeText(params, 'pbk');
  if (publicKey === undefined) {
    if (security === 'reality') throw new ProblemError('node.missing-field', 'REALITY needs a public key (pbk)');
    return undefined;
  }
  const shortId = takeText(params, 'sid');
  if (shortId !== undefined && !/^(?:[0-9a-f]{2}){1,8}$/i.test(shortId)) {
    throw new ProblemError('node.invalid-value', 'the REALITY short id is not hex of at most 8 bytes');
  }
  return { enabled: true, public_key: publicKey, ...(shortId === undefined ? {} : { short_id: shortId }) };
}

/** REALITY works only with uTLS, so it is on even where the fingerprint is missing or foreign. */
export function takeUtls(params: Params, name: string, hasReality = false): Tls['utls'] {
  const fingerprint = params.get(name)?.toLowerCase() ?? '';
  if (fingerprints.has(fingerprint)) {
    params.delete(name);
    return { enabled: true, fingerprint };
  }
  if (!hasReality) return undefined;
  return fingerprint === '' ? { enabled: true, fingerprint: 'chrome' } : { enabled: true };
}

/** `ech` is base64 of the config list, or `name+https://resolver` to look it up; a PEM text as well. */
function takeEch(params: Params): Tls['ech'] {
  const queryName = takeText(params, 'ech_query_name');
  const text = params.get('ech') ?? '';
  if (text === '' && queryName === undefined) return undefined;
  const lookUp = /^([^+/\s]+)\+(?:https|tls|udp|tcp|quic|h2c):\/\//i.exec(text);
  const config = lookUp ? undefined : pemLines(text);
  if (config !== undefined) params.delete('ech');
  const name = queryName ?? lookUp?.[1];
  if (config === undefined && name === undefined) return undefined;
  return {
    enabled: true,
    ...(config === undefined ? {} : { config }),
    ...(name === undefined ? {} : { query_server_name: name }),
  };
}

function pemLines(text: string): readonly string[] | undefined {
  const lines = text
    .replaceAll(String.raw`\n`, '\n')
    .split(/[\n,]/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
  if (lines[0]?.startsWith('-----BEGIN ')) return lines;
  return lines.length === 1 && /^[A-Za-z0-9+/]{16,}={0,2}$/.test(lines[0] ?? '')
    ? ['-----BEGIN ECH CONFIGS-----', lines[0] ?? '', '-----END ECH CONFIGS-----']
    : undefined;
}
