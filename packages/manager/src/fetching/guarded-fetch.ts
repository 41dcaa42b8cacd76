import { ProblemError } from '@sbox/core';
import { addressesOfMachine, createAddressGuard } from './address-guard.ts';
import { readLimited } from './content.ts';
import type { FetcherOptions } from './fetcher.ts';
import { createGuardedAgent, resolveBySystem } from './guarded-agent.ts';
import { networkProblem } from './network-problem.ts';

export interface GuardedRequestInit {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
}

/** `fetch` for libraries that talk to a server which settings or another server named. It follows no redirects. */
export interface GuardedFetch extends AsyncDisposable {
  /** @throws ProblemError `fetch.blocked`, `fetch.failed`, `fetch.timeout`, `fetch.too-large` */
  fetch(url: string, init: GuardedRequestInit): Promise<Response>;
}

export type GuardedFetchOptions = Pick<FetcherOptions, 'allow' | 'timeoutMs' | 'maxBytes' | 'ownPorts' | 'resolve'>;

const withoutBody: ReadonlySet<number> = new Set([204, 205, 304]);

/** Has the limits of the fetcher of subscriptions: where it may connect, how long an answer may take, how long it is. */
export function createGuardedFetch(options: GuardedFetchOptions): GuardedFetch {
  const { allow, timeoutMs, maxBytes, ownPorts = new Set(), resolve = resolveBySystem } = options;
  const guard = createAddressGuard(allow, { ports: ownPorts, addresses: addressesOfMachine });
  const agent = createGuardedAgent(guard, resolve);
  return {
    async fetch(text, { method, headers, body, signal }) {
      const url = new URL(text);
      guard.checkUrl(url);
      const timeout = AbortSignal.timeout(timeoutMs);
      try {
        const answer = await agent.dispatcher.request({
          origin: url.origin,
          path: `${url.pathname}${url.search}`,
          method,
          headers: { ...headers, 'accept-encoding': 'identity' },
          body: body instanceof URLSearchParams ? body.toString() : ((body ?? null) as string | null),
          signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
        });
        const bytes = await readLimited(answer.body, maxBytes, url);
        return new Response(withoutBody.has(answer.statusCode) ? null : (bytes as Uint8Array<ArrayBuffer>), {
          status: answer.statusCode,
          headers: Object.entries(answer.headers).flatMap(([name, value = []]) =>
            [value].flat().map((one): [string, string] => [name, one]),
          ),
        });
      } catch (error) {
        if (timeout.aborted)
          throw new ProblemError('fetch.timeout', `${url.hostname} took longer than ${timeoutMs} ms`, {
            details: { host: url.hostname, timeout_ms: timeoutMs },
          });
        throw networkProblem(error, url);
      }
    },
    [Symbol.asyncDispose]: async () => await agent[Symbol.asyncDispose](),
  };
}
