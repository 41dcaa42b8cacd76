import { lookup } from 'node:dns/promises';
import type { LookupFunction } from 'node:net';
import { Agent, buildConnector, type Dispatcher } from 'undici';
import { portOf, type AddressGuard } from './address-guard.ts';

/** All addresses of a host name. */
export type Resolve = (host: string) => Promise<readonly { readonly address: string; readonly family: number }[]>;

export const resolveBySystem: Resolve = async (host) => await lookup(host, { all: true });

const connectTimeoutMs = 10_000;

/** Connects only to what the guard allows. A request to anything else throws ProblemError `fetch.blocked`. */
export function createGuardedAgent(
  guard: AddressGuard,
  resolve: Resolve,
): AsyncDisposable & { readonly dispatcher: Dispatcher } {
  const agent = new Agent({
    // Made for each connection, because a look-up is not told the port.
    connect(target, done) {
      const checked = checkedLookup(guard, resolve, portOf(target.protocol, target.port));
      buildConnector({ lookup: checked, timeout: connectTimeoutMs, allowH2: false })(target, done);
    },
    allowH2: false,
    connections: 4,
    pipelining: 1,
    keepAliveTimeout: 4000,
    // The whole fetch has one time limit, on the clock that the caller passes.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  return { dispatcher: agent.compose(guardRequests(guard)), [Symbol.asyncDispose]: async () => await agent.destroy() };
}

/** The socket connects to exactly the addresses that were checked here; a second look-up could give others. */
const checkedLookup =
  (guard: AddressGuard, resolve: Resolve, port: number): LookupFunction =>
  (host, { all }, done) => {
    const answer = async (): Promise<void> => {
      try {
        const found = await resolve(host);
        guard.checkAddresses(
          host,
          found.map(({ address }) => address),
          port,
        );
        if (all) done(null, [...found]);
        else done(null, found[0]?.address ?? '', found[0]?.family);
      } catch (error) {
        done(error as Error, '');
      }
    };
    void answer();
  };

/** An IP literal needs no look-up, so it is caught before a connection is made. */
const guardRequests =
  (guard: AddressGuard): Dispatcher.DispatcherComposeInterceptor =>
  (dispatch) =>
  (request, handler) => {
    guard.checkUrl(new URL(String(request.origin)));
    return dispatch(request, handler);
  };
