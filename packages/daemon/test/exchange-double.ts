import { route, type Route } from '@sbox/protocol';
import * as z from 'zod/mini';
import { anonymous, type Exchange } from '../src/http/exchange.ts';

const plainRoute = route({
  id: 'getThing',
  method: 'get',
  path: '/things/{id}',
  summary: 'One thing',
  permission: 'status:read',
  ok: { status: 200, schema: z.object({ name: z.string() }) },
  problems: [],
  example: {},
});

export interface ExchangeDouble extends Exchange {
  /** What steps set. */
  readonly answered: Headers;
}

interface Given {
  readonly route?: Partial<Route>;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly params?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** A request without a server, for one step. */
export function createExchange({
  route: change,
  path = '/things/a',
  headers = {},
  params = {},
  body = '',
}: Given = {}) {
  const answered = new Headers();
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  const request = {
    method: (change?.method ?? 'get').toUpperCase(),
    path,
    headers,
    readBody: async () => await Promise.resolve(bytes),
    remoteAddress: '192.0.2.1',
  };
  const exchange: ExchangeDouble = {
    route: { ...plainRoute, ...change },
    request,
    requestId: 'req_1',
    trace: undefined,
    params,
    gone: () => new AbortController().signal,
    openBody: async function* () {
      yield await Promise.resolve(bytes);
    },
    setHeader: (name, value) => answered.set(name, value),
    respond: (text, status, more = {}) => {
      const all = new Headers(answered);
      for (const [name, value] of Object.entries(more)) all.set(name, value);
      return new Response(text as Uint8Array<ArrayBuffer>, { status, headers: all });
    },
    caller: anonymous,
    rawBody: new Uint8Array(),
    args: {},
    isHandled: false,
    answered,
  };
  return exchange;
}
