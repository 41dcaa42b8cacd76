import { ProblemError, type Clock, type NewId } from '@sbox/core';
import { Hono } from 'hono';
import { errorFields, type Logger } from '../log.ts';
import { answerProblem } from './mount.ts';

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
  readonly record?: (request: RequestRecord) => void;
}

const securityHeaders = {
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
};

/** An empty app: request ids, security headers, problems instead of errors, one log line a request. */
export function createApp({
  log,
  clock,
  newId,
  hostNames,
  record,
}: AppOptions): Hono<{ Variables: { requestId: string } }> {
  const app = new Hono<{ Variables: { requestId: string } }>();

  app.use(async (c, next) => {
    const given = c.req.header('x-request-id');
    const requestId = given !== undefined && /^[\w.-]{1,64}$/.test(given) ? given : newId('req');
    const startedMs = clock.monotonic();
    c.set('requestId', requestId);
    // Headers are set before the handler runs: touching the answer afterwards costs twice the time (measured).
    for (const [name, value] of Object.entries(securityHeaders)) c.header(name, value);
    c.header('x-request-id', requestId);
    refuseForeignHost(hostNames, c.req.header('host'));
    await next();
    const seconds = (clock.monotonic() - startedMs) / 1000;
    record?.({ method: c.req.method, route: c.req.routePath, status: c.res.status, seconds });
    log.debug('request answered', {
      request_id: requestId,
      method: c.req.method,
      route: c.req.routePath,
      status: c.res.status,
      ms: Math.round(seconds * 1000),
    });
  });

  app.notFound((c) =>
    answerProblem(c, new ProblemError('route.not-found', `${c.req.method} ${c.req.path}`), c.get('requestId')),
  );

  app.onError((error, c) => {
    const requestId = c.get('requestId');
    if (error instanceof ProblemError) return answerProblem(c, error, requestId);
    // The caller learns only the id: what broke inside may hold secrets.
    log.error('request broke', {
      request_id: requestId,
      method: c.req.method,
      route: c.req.routePath,
      ...errorFields(error),
    });
    return answerProblem(c, new ProblemError('internal.error', `request ${requestId}`), requestId);
  });
  return app;
}

function refuseForeignHost(hostNames: ReadonlySet<string> | undefined, host: string | undefined): void {
  if (!hostNames) return;
  const name = (host ?? '').replace(/:\d+$/, '').toLowerCase();
  if (!hostNames.has(name)) throw new ProblemError('request.forbidden-host', `host ${name}`);
}
