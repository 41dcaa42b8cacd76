import { ProblemError, toProblem, type ProblemCode } from '@sbox/core';
import {
  isRoute,
  routesOf,
  type BytesAnswer,
  type Contract,
  type Permission,
  type Route,
  type RouteArgs,
  type RouteResult,
  type Schema,
} from '@sbox/protocol';
import type { Context, Hono } from 'hono';
import * as z from 'zod/mini';
import { sha256 } from '../keys.ts';
import { readBody, type BodyLimits } from './body.ts';

/** Who asks. `id` is stable and goes into records; `permissions` is what a token holds. */
export interface Caller {
  readonly kind: 'anonymous' | 'token' | 'server' | 'local';
  readonly id: string;
  readonly name: string;
  readonly permissions: ReadonlySet<Permission>;
}

/** The request as it came, before anything in it was believed. */
export interface GuardedRequest {
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Reads the body, once. Nothing of it was read before: strangers are turned away without it. */
  readonly readBody: () => Promise<Uint8Array>;
  readonly remoteAddress: string;
}

/** Says who asks, or throws the problem that keeps them out. May read the raw body, so that its digest can be checked. */
export type Guard = (route: Route, request: GuardedRequest) => Promise<Caller>;

export interface RequestContext {
  readonly requestId: string;
  readonly caller: Caller;
  readonly remoteAddress: string;
  /** Aborts when the caller goes away. */
  readonly signal: AbortSignal;
  /** The body as it came. */
  readonly rawBody: Uint8Array;
}

type Handler<R> = (args: RouteArgs<R>, context: RequestContext) => Promise<RouteResult<R>>;
export type Handlers<C> = {
  readonly [K in keyof C]: C[K] extends Route ? Handler<C[K]> : Handlers<C[K]>;
};

export interface ReplayAnswer {
  readonly status: number;
  readonly text: string;
}

/** Answers that were given for an Idempotency-Key. */
export interface Replay {
  /**
   * The answer that was given for the key, or else the one that `run` gives now. Of several requests at once only the
   * first runs. A request that fails leaves the key free.
   * @throws ProblemError `request.idempotency-mismatch` when the key was used for another request
   */
  once(
    caller: Caller,
    request: { readonly key: string; readonly digest: string },
    run: () => Promise<ReplayAnswer>,
  ): Promise<{ readonly answer: ReplayAnswer; readonly isReplay: boolean }>;
}

export interface MountOptions {
  readonly guard: Guard;
  readonly maxBodyBytes: number;
  /** How long a body may take, 60 s by default; one that is streamed takes as long as the listener lets it. */
  readonly bodyTimeoutMs?: number;
  readonly replay?: Replay;
}

type AnyHandler = (args: unknown, context: RequestContext) => Promise<unknown>;
type App = Hono<{ Variables: { requestId: string } }>;

/** Mounts every route of a contract. A missing handler is a type error; other methods of a path answer 405. */
export function mount<const C extends Contract>(
  app: App,
  contract: C,
  handlers: Handlers<C>,
  options: MountOptions,
): void {
  mountGroup(app, contract, handlers, options);
  const methods = Map.groupBy(routesOf(contract), ({ path }) => path);
  for (const [path, routes] of methods) {
    const allow = routes.map(({ method }) => method.toUpperCase()).join(', ');
    app.all(toPattern(path), (c) => {
      c.header('allow', allow);
      throw new ProblemError('route.method-not-allowed', `${c.req.method} is not one of ${allow}`);
    });
  }
}

function mountGroup(app: App, contract: Contract, handlers: Record<string, unknown>, options: MountOptions): void {
  for (const [name, entry] of Object.entries(contract)) {
    if (isRoute(entry)) mountRoute(app, entry, handlers[name] as AnyHandler, options);
    else mountGroup(app, entry, handlers[name] as Record<string, unknown>, options);
  }
}

const toPattern = (path: string): string => path.replace(/\{(\w+)\}/g, ':$1');

function mountRoute(app: App, route: Route, handler: AnyHandler, options: MountOptions): void {
  app.on(route.method.toUpperCase(), toPattern(route.path), async (c) => {
    const { maxBodyBytes: maxBytes, bodyTimeoutMs: timeoutMs = 60_000 } = options;
    const request = describeRequest(c, { maxBytes, timeoutMs });
    const caller = await options.guard(route, request);
    const stream = route.streamBody === undefined ? undefined : (c.req.raw.body ?? []);
    const body = stream === undefined ? await request.readBody() : new Uint8Array();
    const context: RequestContext = {
      requestId: c.get('requestId'),
      caller,
      remoteAddress: request.remoteAddress,
      signal: c.req.raw.signal,
      rawBody: body,
    };
    const args = {
      params: parse('path', route.params, c.req.param(), 'request.invalid'),
      query: parse('query', route.query, c.req.query(), 'request.invalid'),
      headers: parseHeaders(route.headers, request.headers),
      body:
        stream ??
        (route.rawBody
          ? body
          : parse('body', route.body, route.body && readJsonBody(request.headers, body), 'request.invalid')),
    };
    const run = async (): Promise<unknown> => await handler(args, context);
    // Only routes that declare the key replay: an answer with a fresh secret must not be stored.
    const key = (args.headers as Readonly<Record<string, string | undefined>> | undefined)?.['idempotency-key'];
    if (key !== undefined && options.replay)
      return await replayed(c, route, run, { key, caller, request, body, replay: options.replay });
    return answer(c, route, await run());
  });
}

function describeRequest(c: Context, limits: BodyLimits): GuardedRequest {
  const url = c.req.raw.url;
  const pathStart = url.indexOf('/', url.indexOf('://') + 3);
  let body: Promise<Uint8Array> | undefined;
  const incoming = (c.env as { incoming?: { socket: { remoteAddress?: string } } } | undefined)?.incoming;
  return {
    method: c.req.method,
    path: pathStart < 0 ? '/' : url.slice(pathStart),
    headers: c.req.header(),
    readBody: async () => await (body ??= readBody(c.req.raw, limits)),
    remoteAddress: incoming?.socket.remoteAddress ?? 'local',
  };
}

function readJsonBody(headers: GuardedRequest['headers'], body: Uint8Array): unknown {
  const type = headers['content-type']?.split(';')[0]?.trim();
  if (type !== undefined && type !== 'application/json' && type !== 'application/merge-patch+json') {
    throw new ProblemError('request.malformed', `the body is ${type}, not JSON`);
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as unknown;
  } catch (error) {
    throw new ProblemError('request.malformed', `the body is not JSON: ${(error as Error).message}`, { cause: error });
  }
}

function parse(where: string, schema: Schema | undefined, value: unknown, code: ProblemCode): unknown {
  if (!schema) return undefined;
  const parsed = z.safeParse(schema, value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map((issue) => ({ where, field: issue.path.join('.'), message: issue.message }));
  const first = issues[0];
  throw new ProblemError(code, `${where}${first?.field ? ` ${first.field}` : ''}: ${first?.message ?? ''}`, {
    details: { issues },
  });
}

function parseHeaders(schema: Schema | undefined, headers: Readonly<Record<string, string>>): unknown {
  const needsMatch = schema !== undefined && z.safeParse(schema, {}).error?.issues[0]?.path[0] === 'if-match';
  if (needsMatch && headers['if-match'] === undefined) {
    throw new ProblemError('precondition.required', 'writing needs the ETag of what was read, in If-Match');
  }
  return parse('header', schema, headers, 'request.invalid');
}

interface ReplayCall {
  readonly key: string;
  readonly caller: Caller;
  readonly request: GuardedRequest;
  readonly body: Uint8Array;
  readonly replay: Replay;
}

async function replayed(
  c: Context,
  route: Route,
  run: () => Promise<unknown>,
  { key, caller, request, body, replay }: ReplayCall,
): Promise<Response> {
  const digest = Buffer.from(
    sha256(Buffer.concat([Buffer.from(`${request.method} ${request.path}\n`), body])),
  ).toString('hex');
  const { answer: given, isReplay } = await replay.once(caller, { key, digest }, async () => ({
    status: route.ok.status,
    text: JSON.stringify(await run()),
  }));
  return c.body(given.text, given.status as 200, {
    'content-type': 'application/json',
    ...(isReplay ? { 'idempotency-replayed': 'true' } : {}),
  });
}

function answer(c: Context, { ok }: Route, result: unknown): Response {
  if ('bytes' in ok) return answerBytes(c, ok.bytes, result as BytesAnswer);
  if (!('schema' in ok)) return c.body(null, 204);
  const revision = (result as { revision?: unknown } | null)?.revision;
  return c.body(JSON.stringify(result), ok.status, {
    'content-type': 'application/json',
    ...(typeof revision === 'number' ? { etag: `"${revision}"` } : {}),
  });
}

function answerBytes(c: Context, mediaType: string, { bytes, etag, range, encoding, headers }: BytesAnswer): Response {
  const shared = { ...headers, ...(etag === undefined ? {} : { etag }) };
  if (bytes === undefined) return c.body(null, 304, shared);
  return c.body(bytes as Uint8Array<ArrayBuffer>, range === undefined ? 200 : 206, {
    ...shared,
    ...(range === undefined ? {} : { 'content-range': range }),
    'content-type': mediaType,
    ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
  });
}

/** A problem as an answer, with the headers that go with it. */
export function answerProblem(c: Context, error: ProblemError, instance: string): Response {
  const problem = toProblem(error, instance);
  const retryAfterS = error.details?.['retry_after_s'];
  return c.body(JSON.stringify(problem), problem.status as 400, {
    'content-type': 'application/problem+json',
    ...(problem.status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    ...(typeof retryAfterS === 'number' ? { 'retry-after': String(retryAfterS) } : {}),
  });
}
