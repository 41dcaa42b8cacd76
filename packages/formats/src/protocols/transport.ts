import { ProblemError } from '@sbox/core';
import type { Transport } from '../node.ts';
import { takeInt, takeList, takeText, wholeNumber, type Params } from '../params.ts';

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };
type TakeTransport = (params: Params) => Writable<Transport> | undefined;

const maxEarlyData = 0xffff_ffff;
/** Headers of a Clash transport arrive as parameters with this in front. */
export const headerPrefix = 'header.';

const transports = new Map<string, TakeTransport>([
  ...named('tcp raw none original', takeTcp),
  ...named('ws websocket', takeWs),
  ...named('grpc gun', (params) => defined({ type: 'grpc', service_name: takeText(params, 'serviceName') })),
  ...named('http h2', takeHttp),
  ...named('httpupgrade', takeHttpUpgrade),
  ...named('quic', () => ({ type: 'quic' })),
  ...named('xhttp splithttp', (params) =>
    defined({
      type: 'xhttp',
      host: takeText(params, 'host'),
      path: takeText(params, 'path'),
      mode: takeText(params, 'mode'),
    }),
  ),
  ...named('kcp mkcp', (params) =>
    defined({ type: 'mkcp', header_type: takeText(params, 'headerType'), seed: takeText(params, 'seed') }),
  ),
]);

function named(names: string, take: TakeTransport): (readonly [string, TakeTransport])[] {
  return names.split(' ').map((name) => [name, take] as const);
}

/**
 * Reads the transport parameters. Undefined for plain TCP.
 * @throws ProblemError `node.unsupported` for a transport that nobody knows, `node.invalid-value` for bad early data.
 */
export function takeTransport(params: Params): Transport | undefined {
  const type = params.get('type')?.toLowerCase() ?? '';
  const take = transports.get(type === '' ? 'tcp' : type);
  if (take === undefined) {
    throw new ProblemError('node.unsupported', `transport ${JSON.stringify(type.slice(0, 40))} is not known`);
  }
  params.delete('type');
  if (params.get('headerType')?.toLowerCase() === 'none') params.delete('headerType');
  return take(params);
}

/** Plain TCP, or TCP that looks like HTTP/1.1, which sing-box calls `http` too. */
function takeTcp(params: Params): Writable<Transport> | undefined {
  if (params.get('headerType')?.toLowerCase() === 'http') {
    params.delete('headerType');
    return takeHttp(params);
  }
  return undefined;
}

function takeHttp(params: Params): Writable<Transport> {
  return defined({
    type: 'http',
    host: takeList(params, 'host'),
    path: takeText(params, 'path'),
    method: takeText(params, 'method'),
    headers: takeHeaders(params, undefined),
  });
}

/** Early data comes as `ed` beside the path or inside it; sing-box wants the path without it. */
function takeWs(params: Params): Writable<Transport> {
  const [path, inPath] = splitEarlyData(takeText(params, 'path'));
  const beside = params.get('ed');
  const earlyData = beside === undefined || beside === '' ? inPath : takeInt(params, 'ed', maxEarlyData);
  if (beside !== undefined && beside !== '' && earlyData === undefined) {
    throw new ProblemError('node.invalid-value', 'the early data size (ed) is not a number of bytes');
  }
  return defined({
    type: 'ws',
    path,
    headers: takeHeaders(params, takeText(params, 'host')),
    max_early_data: earlyData || undefined,
    early_data_header_name: earlyData ? (takeText(params, 'eh') ?? 'Sec-WebSocket-Protocol') : undefined,
  });
}

/** Here `ed` is no size but a flag of Xray's, which sing-box has no place for: it stays among the others. */
function takeHttpUpgrade(params: Params): Writable<Transport> {
  const [path, earlyData] = splitEarlyData(takeText(params, 'path'));
  if (earlyData !== undefined && !params.has('ed')) params.set('ed', String(earlyData));
  return defined({
    type: 'httpupgrade',
    host: takeText(params, 'host'),
    path,
    headers: takeHeaders(params, undefined),
  });
}

/** Takes `ed=<bytes>` out of the query of a path; a malformed one stays part of the path. */
function splitEarlyData(path: string | undefined): readonly [string | undefined, number | undefined] {
  const question = path?.indexOf('?') ?? -1;
  if (path === undefined || question < 0) return [path, undefined];
  let size: number | undefined;
  const rest = path
    .slice(question + 1)
    .split('&')
    .filter((pair) => {
      const value = pair.startsWith('ed=') ? wholeNumber(pair.slice(3)) : undefined;
      if (value === undefined || value > maxEarlyData) return true;
      size ??= value;
      return false;
    });
  return [rest.length === 0 ? path.slice(0, question) : `${path.slice(0, question)}?${rest.join('&')}`, size];
}

function takeHeaders(params: Params, host: string | undefined): Readonly<Record<string, string>> | undefined {
  const headers: [string, string][] = host === undefined ? [] : [['Host', host]];
  for (const [key, value] of params) {
    if (!key.startsWith(headerPrefix)) continue;
    headers.push([key.slice(headerPrefix.length), value]);
    params.delete(key);
  }
  return headers.length === 0 ? undefined : Object.fromEntries(headers);
}

/** Drops the fields that are undefined. */
function defined(
  fields: { [Key in keyof Transport]: Transport[Key] | undefined } & { type: Transport['type'] },
): Writable<Transport> {
  const transport: Writable<Transport> = { type: fields.type };
  for (const [key, value] of Object.entries(fields))
    if (value !== undefined) Object.assign(transport, { [key]: value });
  return transport;
}
