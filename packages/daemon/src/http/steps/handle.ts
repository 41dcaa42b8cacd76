import type { BytesAnswer, Landing } from '@sbox/protocol';
import { pageAnswer } from '../problem-answer.ts';
import type { Caller, Exchange, GuardedRequest, RequestArgs, Step } from '../exchange.ts';

/** What a handler knows besides its arguments. */
export interface RequestContext {
  readonly requestId: string;
  readonly caller: Caller;
  readonly remoteAddress: string;
  /** Makes a signal that aborts when the caller goes away. */
  readonly gone: () => AbortSignal;
  /** The body as it came. */
  readonly rawBody: Uint8Array;
  readonly request: Pick<GuardedRequest, 'headers' | 'remoteAddress' | 'connection'>;
  /** Sets a header of the answer. */
  readonly setHeader: (name: string, value: string) => void;
}

export type AnyHandler = (args: RequestArgs, context: RequestContext) => Promise<unknown>;

/** The last step: the handler, and its result as the answer that the route declares. */
export const createHandle =
  (handler: AnyHandler): Step =>
  async (exchange) => {
    exchange.isHandled = true;
    return answer(exchange, await handler(exchange.args, contextOf(exchange)));
  };

const contextOf = (exchange: Exchange): RequestContext => ({
  requestId: exchange.requestId,
  caller: exchange.caller,
  remoteAddress: exchange.request.remoteAddress,
  gone: exchange.gone,
  rawBody: exchange.rawBody,
  request: exchange.request,
  setHeader: exchange.setHeader,
});

function answer({ route: { ok }, respond }: Exchange, result: unknown): Response {
  if ('bytes' in ok) return answerBytes(respond, ok.bytes, result as BytesAnswer);
  if (ok.status === 302) return answerLanding(respond, result as Landing);
  if (!('schema' in ok)) return respond(null, 204);
  const revision = (result as { revision?: unknown } | null)?.revision;
  return respond(JSON.stringify(result), ok.status, {
    'content-type': 'application/json',
    ...(typeof revision === 'number' ? { etag: `"${revision}"` } : {}),
  });
}

function answerLanding(respond: Exchange['respond'], landing: Landing): Response {
  if ('location' in landing) return respond(null, 302, { location: landing.location });
  return respond(landing.page, 200, pageAnswer);
}

function answerBytes(
  respond: Exchange['respond'],
  declared: string,
  { bytes, etag, range, encoding, headers, mediaType = declared }: BytesAnswer,
): Response {
  const shared = { ...headers, ...(etag === undefined ? {} : { etag }) };
  if (bytes === undefined) return respond(null, 304, shared);
  return respond(bytes, range === undefined ? 200 : 206, {
    ...shared,
    ...(range === undefined ? {} : { 'content-range': range }),
    'content-type': mediaType,
    ...(encoding === undefined ? {} : { 'content-encoding': encoding }),
  });
}
