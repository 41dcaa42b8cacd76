import { ProblemError, type Clock } from '@sbox/core';
import type { Dispatcher } from 'undici';
import { addressesOfMachine, createAddressGuard, type AddressGuard } from './address-guard.ts';
import { discard, readContent, type Content } from './content.ts';
import { createGuardedAgent, resolveBySystem, type Resolve } from './guarded-agent.ts';
import { isPassingProblem, networkProblem } from './network-problem.ts';
import { requestHeaders, type FetchSource, type Validators } from './request-headers.ts';
import { retryDelayMs } from './retry-delay.ts';

export type FetchResult = { readonly kind: 'not-modified'; readonly status: 304 } | Content;

export interface Fetcher extends AsyncDisposable {
  /**
   * @throws ProblemError `fetch.blocked`, `fetch.failed`, `fetch.status`, `fetch.timeout`, `fetch.too-large`, `fetch.inflated-too-large`,
   * `fetch.redirects`, naming the host and never the path, which may hold a token; or the reason of the signal
   */
  fetch(source: FetchSource, cached?: Validators, signal?: AbortSignal): Promise<FetchResult>;
}

export interface FetcherOptions {
  /** Networks (CIDR) that may be fetched besides public addresses. */
  readonly allow: readonly string[];
  /** For the whole fetch, redirects and retries included. */
  readonly timeoutMs: number;
  /** Of a body, both as it is sent and inflated. */
  readonly maxBytes: number;
  readonly maxRedirects: number;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly resolve?: Resolve;
  /** Where this process listens; never fetched from, whatever `allow` says. */
  readonly ownPorts?: ReadonlySet<number>;
  /** Of sbox, for the User-Agent of sources that set none. */
  readonly version?: string;
}

const maxRetries = 2;

/** Fetches addresses that users and providers name. Holds a few connections; dispose cuts what still runs. */
export function createFetcher(options: FetcherOptions): Fetcher {
  const { clock, timeoutMs } = options;
  const closing = new AbortController();
  const own = { ports: options.ownPorts ?? new Set<number>(), addresses: addressesOfMachine };
  const guard = createAddressGuard(options.allow, own);
  const agent = createGuardedAgent(guard, options.resolve ?? resolveBySystem);

  return {
    async fetch(source, cached = {}, signal) {
      const url = parseUrl(source.url);
      const ended = new AbortController();
      const timeout = new AbortController();
      clock.sleep(timeoutMs, ended.signal).then(
        () => timeout.abort(),
        () => {},
      );
      const stop = AbortSignal.any([timeout.signal, closing.signal, ...(signal ? [signal] : [])]);
      const run: Run = { options, guard, dispatcher: agent.dispatcher, stop, deadline: clock.monotonic() + timeoutMs };
      try {
        return await fetchWithRetries(run, url, source, cached);
      } catch (error) {
        if (timeout.signal.aborted)
          throw new ProblemError('fetch.timeout', `${url.hostname} took longer than ${timeoutMs} ms`, {
            details: { host: url.hostname, timeout_ms: timeoutMs },
          });
        signal?.throwIfAborted();
        throw error;
      } finally {
        ended.abort();
      }
    },
    async [Symbol.asyncDispose]() {
      closing.abort(new ProblemError('fetch.failed', 'the manager is stopping'));
      await agent[Symbol.asyncDispose]();
    },
  };
}

/** What one fetch carries through its tries. */
interface Run {
  readonly options: FetcherOptions;
  readonly guard: AddressGuard;
  readonly dispatcher: Dispatcher;
  readonly stop: AbortSignal;
  /** On the monotonic clock. */
  readonly deadline: number;
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  // The text itself may hold a token, so it is not repeated.
  if (!url) throw new ProblemError('fetch.failed', 'the address is not a URL');
  return url;
}

async function fetchWithRetries(run: Run, url: URL, source: FetchSource, cached: Validators): Promise<FetchResult> {
  const { clock, random } = run.options;
  for (let tries = 0; ; tries += 1) {
    try {
      return await fetchOnce(run, url, source, cached);
    } catch (error) {
      run.stop.throwIfAborted();
      if (tries === maxRetries || !isPassing(error)) throw error;
      const waitMs = retryDelayMs(tries, (error as ProblemError).details?.['retry_after'], clock.now(), random);
      if (clock.monotonic() + waitMs >= run.deadline) throw error;
      await clock.sleep(waitMs, run.stop);
    }
  }
}

/** Whether another try may go better. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof ProblemError)) return false;
  const status = Number(error.details?.['status'] ?? 0);
  return isPassingProblem(error) || status === 429 || status >= 500;
}

async function fetchOnce(run: Run, start: URL, source: FetchSource, cached: Validators): Promise<FetchResult> {
  const { options } = run;
  const startedMs = options.clock.monotonic();
  let url = start;
  let isHome = true;
  for (let redirects = 0; ; redirects += 1) {
    const headers = requestHeaders(start, source, cached, { isHome, version: options.version });
    const answer = await send(run, url, headers);
    if (answer.statusCode === 304 && (cached.etag ?? cached.last_modified) !== undefined) {
      discard(answer.body);
      return { kind: 'not-modified', status: 304 };
    }
    const location = redirectStatuses.has(answer.statusCode) ? answer.headers['location'] : undefined;
    if (typeof location !== 'string') return await readContent(url, answer, { ...options, startedMs });
    discard(answer.body);
    if (redirects === options.maxRedirects) throw tooManyRedirects(start, options.maxRedirects);
    const next = nextUrl(url, location);
    // Once a chain has left its origin, coming back does not bring the credentials back.
    isHome &&= next.origin === start.origin;
    url = next;
  }
}

const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

const tooManyRedirects = ({ hostname }: URL, limit: number): ProblemError =>
  new ProblemError('fetch.redirects', `${hostname} redirects more than ${limit} times`, {
    details: { host: hostname, max_redirects: limit },
  });

function nextUrl(from: URL, location: string): URL {
  const next = URL.parse(location, from.href);
  if (!next)
    throw new ProblemError('fetch.failed', `${from.hostname} redirects to no address`, {
      details: { host: from.hostname },
    });
  next.username = '';
  next.password = '';
  return next;
}

async function send(run: Run, url: URL, headers: Record<string, string>): Promise<Dispatcher.ResponseData> {
  run.guard.checkUrl(url);
  try {
    return await run.dispatcher.request({
      origin: url.origin,
      path: `${url.pathname}${url.search}`,
      method: 'GET',
      headers,
      signal: run.stop,
    });
  } catch (error) {
    throw networkProblem(error, url);
  }
}
