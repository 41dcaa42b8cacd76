/** What a page of a listed origin may do; never with cookies or other credentials that a browser keeps. */
const preflightHeaders = {
  'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
  'access-control-allow-headers':
    'authorization, content-type, if-match, if-none-match, idempotency-key, x-request-id, traceparent',
  'access-control-max-age': '600',
};
const exposed = 'etag, x-request-id, retry-after, ratelimit, ratelimit-policy, idempotency-replayed';

export interface CorsRequest {
  readonly method: string;
  readonly origin: string | undefined;
  /** Of the method that a preflight asks for. */
  readonly askedMethod: string | undefined;
}

export interface CorsAnswer {
  readonly headers: Readonly<Record<string, string>>;
  /** A preflight is answered by these headers alone. */
  readonly isPreflight: boolean;
}

/**
 * Cross-origin requests as https://fetch.spec.whatwg.org/#http-cors-protocol has them. Ours, because the middleware of the
 * framework makes headers that were set before it win over those of the answer.
 */
export const createCors =
  (origins: ReadonlySet<string>) =>
  ({ method, origin, askedMethod }: CorsRequest): CorsAnswer => {
    // An answer depends on the origin even for those that are not listed: caches have to know.
    const vary = { vary: 'Origin' };
    if (origin === undefined || !origins.has(origin)) return { headers: vary, isPreflight: false };
    const isPreflight = method === 'OPTIONS' && askedMethod !== undefined;
    const more = isPreflight ? preflightHeaders : { 'access-control-expose-headers': exposed };
    return { headers: { ...vary, 'access-control-allow-origin': origin, ...more }, isPreflight };
  };
