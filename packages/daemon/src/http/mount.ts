import { ProblemError } from '@sbox/core';
import { isRoute, routesOf, type Contract, type Route, type RouteArgs, type RouteResult } from '@sbox/protocol';
import type { Context } from 'hono';
import type { App } from './app.ts';
import { readBody, type BodyLimits } from './body.ts';
import { anonymous, type AddressOf, type Connection, type Exchange, type GuardedRequest } from './exchange.ts';
import { createGateway, type GatewayOptions } from './gateway.ts';
import type { AnyHandler, RequestContext } from './steps/handle.ts';

type Handler<R> = (args: RouteArgs<R>, context: RequestContext) => Promise<RouteResult<R>>;
export type Handlers<C> = {
  readonly [K in keyof C]: C[K] extends Route ? Handler<C[K]> : Handlers<C[K]>;
};

export interface MountOptions extends GatewayOptions {
  /** Who the caller is when trusted proxies stand between; the connection's other end without it. */
  readonly addressOf?: AddressOf;
  readonly maxBodyBytes: number;
  /** How long a body may take, 60 s by default; one that is streamed takes as long as the listener lets it. */
  readonly bodyTimeoutMs?: number;
}

/** Mounts every route of a contract. A missing handler is a type error; other methods of a path answer 405. */
export function mount<const C extends Contract>(
  app: App,
  contract: C,
  handlers: Handlers<C>,
  options: MountOptions,
): void {
  mountGroup(app, contract, handlers, options);
  const methods = Map.groupBy(routesOf(contract), ({ path }) => path);
  for (const [path, routes] of methods)
    refuseOtherMethods(
      app,
      toPattern(path),
      routes.map(({ method }) => method.toUpperCase()),
    );
}

function mountGroup(app: App, contract: Contract, handlers: Record<string, unknown>, options: MountOptions): void {
  for (const [name, entry] of Object.entries(contract)) {
    if (isRoute(entry)) mountRoute(app, entry, handlers[name] as AnyHandler, options);
    else mountGroup(app, entry, handlers[name] as Record<string, unknown>, options);
  }
}

const toPattern = (path: string): string => path.replace(/\{(\w+)\}/g, ':$1');

function mountRoute(app: App, route: Route, handler: AnyHandler, options: MountOptions): void {
  const pass = createGateway(route, handler, options);
  app.on(route.method.toUpperCase(), toPattern(route.path), async (c) => await pass(openExchange(c, route, options)));
}

/** Answers 405 for every method of a path that nothing before it took. HEAD comes with GET. */
export function refuseOtherMethods(app: App, pattern: string, methods: readonly string[]): void {
  const allow = methods.flatMap((method) => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ');
  app.all(pattern, (c) => {
    throw new ProblemError('route.method-not-allowed', `${c.req.method} is not one of ${allow}`, {
      details: { allow },
    });
  });
}

function openExchange(c: Context, route: Route, options: MountOptions): Exchange {
  return {
    route,
    request: describeRequest(c, options),
    requestId: c.get('requestId') as string,
    trace: c.get('trace') as Exchange['trace'],
    params: c.req.param(),
    gone: () => c.req.raw.signal,
    openBody: () => c.req.raw.body ?? noBody(),
    setHeader: (name, value) => c.header(name, value, { append: name === 'set-cookie' }),
    respond: (body, status, headers) => c.body(body as Uint8Array<ArrayBuffer>, status as 200, { ...headers }),
    caller: anonymous,
    rawBody: emptyBody,
    args: {},
    isHandled: false,
  };
}

const emptyBody = new Uint8Array();
async function* noBody(): AsyncIterable<Uint8Array> {}

interface Incoming {
  readonly socket: { readonly remoteAddress?: string; readonly encrypted?: boolean };
}

function describeRequest(
  c: Context,
  { addressOf, maxBodyBytes, bodyTimeoutMs = 60_000 }: MountOptions,
): GuardedRequest {
  const url = c.req.raw.url;
  const pathStart = url.indexOf('/', url.indexOf('://') + 3);
  const limits: BodyLimits = { maxBytes: maxBodyBytes, timeoutMs: bodyTimeoutMs };
  let body: Promise<Uint8Array> | undefined;
  const socket = (c.env as { incoming?: Incoming } | undefined)?.incoming?.socket;
  const connection: Connection = {
    address: socket?.remoteAddress ?? 'local',
    isEncrypted: socket?.encrypted === true,
  };
  const headers = c.req.header();
  return {
    method: c.req.method,
    path: pathStart < 0 ? '/' : url.slice(pathStart),
    headers,
    readBody: async () => await (body ??= readBody(c.req.raw, limits)),
    remoteAddress: addressOf?.(connection.address, headers) ?? connection.address,
    connection,
  };
}
