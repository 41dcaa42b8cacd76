import { ProblemError, type Clock, type NewId } from '@sbox/core';
import { Hono, type Context, type MiddlewareHandler } from 'hono';
import { errorFields, type Logger } from '../log.ts';
import { createCors } from './cors.ts';
import { isNavigation, problemAnswer, problemPage } from './problem-answer.ts';
import { readTraceparent, type Trace } from './trace.ts';

/** One finished request, for metrics: the route's pattern, never the path. */
export interface RequestRecord {
  readonly method: string;
  readonly route: string;
  readonly status: number;
  readonly seconds: number;
}

export interface AppOptions {
  readonly log: Logger;
  readonly clock: Clock;
  readonly newId: NewId;
  /** Host names that are served; another one is somebody's DNS trick (rebinding). Undefined serves all. */
  readonly hostNames?: ReadonlySet<string>;
  /** Whether it is served over TLS: browsers are told to come back that way only. */
  readonly isSecure?: boolean;
  /** Origins whose pages may read answers, as `https://example.com`; none by default. Never with credentials of a browser. */
  readonly corsOrigins?: readonly string[];
  readonly record?: (request: RequestRecord) => void;
}

/** An app of ours: every request has its id, and the trace that it belongs to when its caller told one. */
export type App = Hono<{ Variables: { requestId: string; trace: Trace | undefined } }>;
type AppContext = Context<{ Variables: { requestId: string; trace: Trace | undefined } }>;

/** For answers that no browser should show, run, frame, guess about or keep. Pages set a policy of their own. */
const securityHeaders = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
};
const secureHeaders = { 'strict-transport-security': 'max-age=31536000' };

/** An empty app: ids and traces, security headers, problems instead of errors, one log line a request. */
export function createApp(options: AppOptions): App {
  const { log, clock, newId, hostNames, isSecure = false, corsOrigins = [], record } = options;
  const app: App = new Hono();
  const headers = Object.entries({ ...securityHeaders, ...(isSecure ? secureHeaders : {}) });

  app.use(async (c, next) => {
    const startedMs = clock.monotonic();
    identify(c, newId);
    // Headers are set before the handler runs: touching the answer afterwards costs twice the time (measured).
    for (const [name, value] of headers) c.header(name, value);
    refuseForeignHost(hostNames, c.req.header('host'));
    await next();
    const seconds = (clock.monotonic() - startedMs) / 1000;
    record?.({ method: c.req.method, route: c.req.routePath, status: c.res.status, seconds });
    log.debug('request answered', {
      ...requestFields(c),
      status: c.res.status,
      ms: Math.round(seconds * 1000),
    });
  });
  if (corsOrigins.length > 0) app.use(allowOrigins(corsOrigins));

  app.notFound((c) => answerProblem(c, new ProblemError('route.not-found', `${c.req.method} ${c.req.path}`)));

  app.onError((error, c) => {
    if (error instanceof ProblemError) return answerProblem(c, error);
    // The caller learns only the id: what broke inside may hold secrets.
    log.error('request broke', { ...requestFields(c), ...errorFields(error) });
    return answerProblem(c, new ProblemError('internal.error', `request ${c.get('requestId')}`));
  });
  return app;
}

/** The caller's own id and trace are kept when they can be read, so that both sides write the same into their logs. */
function identify(c: AppContext, newId: NewId): void {
  const given = c.req.header('x-request-id');
  const requestId = given !== undefined && /^[\w.-]{1,64}$/.test(given) ? given : newId('req');
  c.set('requestId', requestId);
  c.set('trace', readTraceparent(c.req.header('traceparent')));
  c.header('x-request-id', requestId);
}

function requestFields(c: AppContext) {
  const trace = c.get('trace');
  return {
    request_id: c.get('requestId'),
    ...(trace ? { trace_id: trace.traceId, parent_span_id: trace.parentId } : {}),
    method: c.req.method,
    route: c.req.routePath,
  };
}

function answerProblem(c: AppContext, error: ProblemError): Response {
  const isPage = isNavigation(c.req.header('accept'), c.req.header('sec-fetch-mode'));
  const { status, headers, body } = (isPage ? problemPage : problemAnswer)(error, c.get('requestId'));
  return c.body(body, status as 400, headers);
}

function refuseForeignHost(hostNames: ReadonlySet<string> | undefined, host: string | undefined): void {
  if (!hostNames) return;
  const name = (host ?? '').replace(/:\d+$/, '').toLowerCase();
  if (!hostNames.has(name)) throw new ProblemError('request.forbidden-host', `host ${name}`);
}

function allowOrigins(origins: readonly string[]): MiddlewareHandler {
  const cors = createCors(new Set(origins));
  return async (c, next) => {
    const [origin, askedMethod] = [c.req.header('origin'), c.req.header('access-control-request-method')];
    const { headers, isPreflight } = cors({ method: c.req.method, origin, askedMethod });
    for (const [name, value] of Object.entries(headers)) c.header(name, value);
    if (isPreflight) return c.body(null, 204);
    return await next();
  };
}
