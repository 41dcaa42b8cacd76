import type { HeldBounds, Permission, Route } from '@sbox/protocol';
import type { Trace } from './trace.ts';

/** Who asks. `id` is stable and goes into records; `permissions` is what a token or a session holds. */
export interface Caller {
  readonly kind: 'anonymous' | 'token' | 'session' | 'server' | 'local';
  readonly id: string;
  readonly name: string;
  readonly permissions: ReadonlySet<Permission>;
  /** The person behind a session, or behind a token that a person made. */
  readonly user_id?: string;
  /** What the caller is held to; nothing where there are none. */
  readonly bounds?: HeldBounds | undefined;
  /** Of a session that has to show once more who it is before it does what is dangerous: how. */
  readonly unproven?: 'password' | 'password-and-code' | 'oidc';
}

export const anonymous: Caller = { kind: 'anonymous', id: 'anonymous', name: 'anonymous', permissions: new Set() };

/** The request as it came, before anything in it was believed. */
export interface GuardedRequest {
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Reads the body, once. Nothing of it was read before: strangers are turned away without it. */
  readonly readBody: () => Promise<Uint8Array>;
  /** Of the caller, where a trusted proxy told it; of the connection otherwise. */
  readonly remoteAddress: string;
  readonly connection?: Connection;
}

/** Who the caller is, when proxies may stand between: an address of the connection's other end, or what they told. */
export type AddressOf = (remoteAddress: string, headers: GuardedRequest['headers']) => string;

/** The other end of the connection that a request came over: the caller, or a proxy in front. */
export interface Connection {
  readonly address: string;
  readonly isEncrypted: boolean;
}

/** What a handler is called with: every part as its schema reads it. */
export interface RequestArgs {
  readonly params?: unknown;
  readonly query?: unknown;
  readonly headers?: unknown;
  readonly body?: unknown;
}

/** One request on its way through the steps; what a step finds out it writes here, for those after it. */
export interface Exchange {
  readonly route: Route;
  readonly request: GuardedRequest;
  readonly requestId: string;
  readonly trace: Trace | undefined;
  /** Parameters of the path, decoded, not checked. */
  readonly params: Readonly<Record<string, string>>;
  /**
   * A signal that aborts when the caller goes away, made when it is asked for: most handlers never do. No getter: V8 gives
   * each object with a getter of its own a shape of its own, which kept all of its request until a full collection.
   */
  readonly gone: () => AbortSignal;
  /** The body as it comes, for a route that reads it so. */
  readonly openBody: () => AsyncIterable<Uint8Array>;
  /** Sets a header of the answer, good or bad. */
  readonly setHeader: (name: string, value: string) => void;
  /** Makes the answer, with the headers that were set so far. */
  readonly respond: (
    body: string | Uint8Array | null,
    status: number,
    headers?: Readonly<Record<string, string>>,
  ) => Response;
  /** Anonymous until it is known. */
  caller: Caller;
  /** The body as it came; empty before validation, and for one that is streamed. */
  rawBody: Uint8Array;
  /** Empty before validation. */
  args: RequestArgs;
  /** Whether the handler was reached: what is thrown before it is a refusal. */
  isHandled: boolean;
}

/** Does its part, and asks for the rest with `next`, or refuses by throwing a problem. */
export type Step = (exchange: Exchange, next: () => Promise<Response>) => Promise<Response>;
