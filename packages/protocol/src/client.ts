import { fromProblem, ProblemError, isProblemCode } from '@sbox/core';
import * as z from 'zod/mini';
import { isRoute, type BytesAnswer, type Contract, type Route, type RouteInput, type RouteResult } from './route.ts';

export interface TransportRequest {
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
  readonly signal: AbortSignal | undefined;
}
export interface TransportAnswer {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}
/** Carries one request; throws ProblemError `manager.unreachable` when there is no answer. */
export type Transport = (request: TransportRequest) => Promise<TransportAnswer>;

type MaybeInput<R> =
  object extends RouteInput<R>
    ? [input?: RouteInput<R>, signal?: AbortSignal]
    : [input: RouteInput<R>, signal?: AbortSignal];
export type Client<C> = {
  readonly [K in keyof C]: C[K] extends Route
    ? (...args: MaybeInput<C[K]>) => Promise<RouteResult<C[K]>>
    : Client<C[K]>;
};

interface CallInput {
  readonly params?: Readonly<Record<string, string | number>>;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * Functions for a contract; the transport (undici, a browser's fetch, a test) is the caller's. Every call throws
 * ProblemError: with the code of the other side's answer, or `remote.failed` when the answer is not what was declared.
 */
export function createClient<const C extends Contract>(contract: C, transport: Transport): Client<C> {
  const call =
    (route: Route) =>
    async (input: CallInput = {}, signal?: AbortSignal): Promise<unknown> =>
      readAnswer(route, await transport(toRequest(route, input, signal)));
  const walk = (entry: Route | Contract): unknown =>
    isRoute(entry)
      ? call(entry)
      : Object.fromEntries(Object.entries(entry).map(([name, inner]) => [name, walk(inner)]));
  return walk(contract) as Client<C>;
}

function toRequest(route: Route, input: CallInput, signal: AbortSignal | undefined): TransportRequest {
  const path = route.path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String(input.params?.[name] ?? '')),
  );
  const query = new URLSearchParams(
    Object.entries(input.query ?? {}).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, String(value)] as [string, string]],
    ),
  ).toString();
  const body =
    input.body === undefined
      ? undefined
      : (route.rawBody ?? route.streamBody)
        ? (input.body as Uint8Array)
        : encoder.encode(JSON.stringify(input.body));
  const headers = Object.entries(input.headers ?? {}).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  );
  return {
    method: route.method.toUpperCase(),
    path: query ? `${path}?${query}` : path,
    headers: {
      ...Object.fromEntries(headers),
      ...(body
        ? {
            'content-type':
              route.rawBody ??
              route.streamBody ??
              (route.method === 'patch' ? 'application/merge-patch+json' : 'application/json'),
          }
        : {}),
    },
    body,
    signal,
  };
}

function readAnswer(route: Route, answer: TransportAnswer): unknown {
  if ('bytes' in route.ok) {
    const etag = answer.headers['etag'];
    const encoding = answer.headers['content-encoding'] === 'zstd' ? { encoding: 'zstd' as const } : {};
    if (answer.status === 304) return { bytes: undefined, etag } satisfies BytesAnswer;
    if (answer.status === 200) return { bytes: answer.body, etag, ...encoding } satisfies BytesAnswer;
    const range = answer.headers['content-range'];
    if (answer.status === 206 && range !== undefined)
      return { bytes: answer.body, etag, range, ...encoding } satisfies BytesAnswer;
  }
  if (answer.status >= 400) throw answerProblem(route, answer);
  if (answer.status !== route.ok.status) throw unexpected(route, answer, `status ${answer.status}`);
  if (route.ok.status === 302) return { location: answer.headers['location'] ?? '' };
  if (!('schema' in route.ok)) return undefined;
  const parsed = z.safeParse(route.ok.schema, parseJson(answer.body));
  if (!parsed.success) throw unexpected(route, answer, z.prettifyError(parsed.error));
  return parsed.data;
}

function answerProblem(route: Route, answer: TransportAnswer): ProblemError {
  const document = parseJson(answer.body);
  const code = (document as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' && isProblemCode(code)
    ? fromProblem(document, '')
    : unexpected(route, answer, `status ${answer.status}`);
}

const unexpected = (route: Route, answer: TransportAnswer, what: string): ProblemError =>
  new ProblemError('remote.failed', `${route.id}: ${what}`, {
    details: { status: answer.status, starts: decoder.decode(answer.body.subarray(0, 80)) },
  });

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(body)) as unknown;
  } catch {
    return undefined;
  }
}
