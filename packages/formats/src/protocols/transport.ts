import { ProblemError } from '@sbox/core';
import type { Tls, Transport } from '../node.ts';
import { hasOnlyName, setFields, takeInt, takeList, takeText, wholeNumber, type Params } from '../params.ts';

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };
type TakeTransport = (params: Params, tls: Tls | undefined) => Writable<Transport> | undefined;

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
  ...named('xhttp splithttp', takeXhttp),
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
export function takeTransport(params: Params, tls: Tls | undefined): Transport | undefined {
  const type = params.get('type')?.toLowerCase() ?? '';
  const take = transports.get(type === '' ? 'tcp' : type);
  if (take === undefined) {
    throw new ProblemError('node.unsupported', `transport ${JSON.stringify(type.slice(0, 40))} is not known`);
  }
  params.delete('type');
  if (params.get('headerType')?.toLowerCase() === 'none') params.delete('headerType');
  return take(params, tls);
}

/**
 * Plain TCP, or TCP that looks like HTTP/1.1, which sing-box calls `http` too. Inside TLS that is HTTP/2 for sing-box, so
 * there the node says what it means.
 */
function takeTcp(params: Params, tls: Tls | undefined): Writable<Transport> | undefined {
  if (params.get('headerType')?.toLowerCase() === 'http') {
    params.delete('headerType');
    const transport = takeHttp(params);
    return tls === undefined ? transport : { ...transport, header_type: 'http' };
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
  const inPath = splitEarlyData(takeText(params, 'path'));
  const beside = params.get('ed');
  const earlyData = beside === undefined || beside === '' ? inPath.size : takeInt(params, 'ed', maxEarlyData);
  if (beside !== undefined && beside !== '' && earlyData === undefined) {
    throw new ProblemError('node.invalid-value', 'the early data size (ed) is not a number of bytes');
  }
  return defined({
    type: 'ws',
    path: inPath.path,
    headers: takeHeaders(params, takeText(params, 'host')),
    max_early_data: earlyData || undefined,
    early_data_header_name: earlyData
      ? (takeText(params, 'eh') ?? inPath.header ?? 'Sec-WebSocket-Protocol')
      : undefined,
  });
}

/** Its many further settings come as JSON in `extra`, which stays as it is. */
function takeXhttp(params: Params): Writable<Transport> {
  const mode = takeText(params, 'mode');
  if (mode === 'stream-one' && /"downloadSettings"\s*:\s*\{/.test(params.get('extra') ?? '')) {
    throw new ProblemError('node.invalid-value', 'xhttp in mode stream-one has no place for downloadSettings');
  }
  return defined({ type: 'xhttp', host: takeText(params, 'host'), path: takeText(params, 'path'), mode });
}

/** Here `ed` is no size but a flag of Xray's, which sing-box has no place for: it stays among the others. */
function takeHttpUpgrade(params: Params): Writable<Transport> {
  const { path, size } = splitEarlyData(takeText(params, 'path'));
  if (size !== undefined && !params.has('ed')) params.set('ed', String(size));
  return defined({
    type: 'httpupgrade',
    host: takeText(params, 'host'),
    path,
    headers: takeHeaders(params, undefined),
  });
}

interface EarlyData {
  readonly path: string | undefined;
  readonly size?: number;
  readonly header?: string;
}

/** A path with nothing else in its query, as nearly all senders write it. */
const onlyEarlyData = /^[^?]*\?ed=(\d{1,9})$/;

/** Takes `ed=<bytes>`, and `eh=<header>` with it, out of the query of a path; a malformed one stays part of the path. */
function splitEarlyData(path: string | undefined): EarlyData {
  const question = path?.indexOf('?') ?? -1;
  if (path === undefined || question < 0) return { path };
  const whole = onlyEarlyData.exec(path);
  if (whole !== null) return { path: path.slice(0, question), size: Number(whole[1]) };
  const pairs = path.slice(question + 1).split('&');
  const isSize = (pair: string): boolean =>
    pair.startsWith('ed=') && (wholeNumber(pair.slice(3)) ?? Infinity) <= maxEarlyData;
  const size = pairs.find(isSize)?.slice(3);
  if (size === undefined) return { path };
  const header = pairs.find((pair) => /^eh=[\w-]+$/.test(pair))?.slice(3);
  const rest = pairs.filter((pair) => !isSize(pair) && (header === undefined || !pair.startsWith('eh=')));
  return {
    path: rest.length === 0 ? path.slice(0, question) : `${path.slice(0, question)}?${rest.join('&')}`,
    size: Number(size),
    ...(header === undefined ? {} : { header }),
  };
}

function takeHeaders(params: Params, host: string | undefined): Readonly<Record<string, string>> | undefined {
  if (hasOnlyName(params)) return host === undefined ? undefined : { Host: host };
  const headers: [string, string][] = host === undefined ? [] : [['Host', host]];
  for (const key of params.keys()) {
    if (!key.startsWith(headerPrefix)) continue;
    headers.push([key.slice(headerPrefix.length), params.get(key) ?? '']);
    params.delete(key);
  }
  return headers.length === 0 ? undefined : Object.fromEntries(headers);
}

/** Drops the fields that are undefined. */
function defined(
  fields: { [Key in keyof Transport]: Transport[Key] | undefined } & { type: Transport['type'] },
): Writable<Transport> {
  return setFields<Writable<Transport>>({ type: fields.type }, fields);
}
