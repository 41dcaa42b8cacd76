import type { ProblemCode } from '@sbox/core';
import type * as z from 'zod/mini';
import type { Permission } from './permissions.ts';

export type Schema = z.ZodMiniType;

/** What a good answer looks like: JSON of a schema, exact bytes of a media type (with ETag and 304), nothing, or where a browser goes. */
export type Answer =
  | { readonly status: 200 | 201 | 202; readonly schema: Schema }
  | { readonly status: 200; readonly bytes: string }
  | { readonly status: 204 }
  | { readonly status: 302 };

/** One HTTP operation as plain data; the client, the mount, the documents and the tests all read it. */
export interface Route {
  readonly id: string;
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** With `{name}` for parameters. */
  readonly path: `/${string}`;
  readonly summary: string;
  /**
   * Who may call: a permission of people and programs, `self` (every person and program, about themselves), `agent`
   * (signed by a server), or `public`.
   */
  readonly permission: Permission | 'self' | 'agent' | 'public';
  readonly params?: Schema;
  readonly query?: Schema;
  /** Lower-case header names. */
  readonly headers?: Schema;
  readonly body?: Schema;
  /** The media type of a body that is not JSON; the handler gets the raw bytes. */
  readonly rawBody?: string;
  /** The same for a body that is too large to be held in memory: the handler reads it as it comes. */
  readonly streamBody?: string;
  readonly ok: Answer;
  readonly problems: readonly ProblemCode[];
  /** A request that works, for the documents and for the test that sends it. */
  readonly example: RouteExample;
}

export interface RouteExample {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** Declares a route; keeps its literal types, so that a wrong call or a missing handler is a type error. */
export const route = <const R extends Route>(declared: R): R => declared;

/** A group of routes, possibly nested. */
export interface Contract {
  readonly [name: string]: Route | Contract;
}

export const isRoute = (value: Route | Contract): value is Route => typeof value['method'] === 'string';

export const routesOf = (contract: Contract): readonly Route[] =>
  Object.values(contract).flatMap((entry) => (isRoute(entry) ? [entry] : routesOf(entry)));

type Input<R, K extends PropertyKey> =
  R extends Record<K, infer S extends Schema>
    ? object extends z.input<S>
      ? { readonly [P in K]?: z.input<S> }
      : { readonly [P in K]: z.input<S> }
    : unknown;
type Output<R, K extends PropertyKey> =
  R extends Record<K, infer S extends Schema> ? { readonly [P in K]: z.output<S> } : unknown;
type RawBody<R> = R extends { rawBody: string } | { streamBody: string } ? { readonly body: Uint8Array } : unknown;
type RawArgs<R> = R extends { streamBody: string } ? { readonly body: AsyncIterable<Uint8Array> } : RawBody<R>;

/** What a caller passes. */
export type RouteInput<R> = Input<R, 'params'> &
  Input<R, 'query'> &
  Input<R, 'headers'> &
  Input<R, 'body'> &
  RawBody<R>;

/** What a handler gets: parsed, with defaults filled in. */
export type RouteArgs<R> = Output<R, 'params'> &
  Output<R, 'query'> &
  Output<R, 'headers'> &
  Output<R, 'body'> &
  RawArgs<R>;

/** Exact bytes with their ETag; `undefined` bytes mean 304: the caller has them already. */
export interface BytesAnswer {
  readonly bytes: Uint8Array | undefined;
  readonly etag: string | undefined;
  /** Where a part was asked for: which of the bytes these are, as `Content-Range` says it (RFC 9110, 14.4). It is a 206. */
  readonly range?: string;
  /** How the bytes are compressed already. */
  readonly encoding?: 'zstd';
  /** What the bytes are, where the answers of a route are of several kinds. */
  readonly mediaType?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Where a browser is led to: another address, or a page for its reader (then it is a 200). */
export type Landing = { readonly location: string } | { readonly page: string };

/** Plain data may be handed back read-only. */
export type DeepReadonly<T> = T extends readonly (infer I)[]
  ? readonly DeepReadonly<I>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T;

export type RouteResult<R> = R extends { ok: { schema: infer S extends Schema } }
  ? DeepReadonly<z.output<S>>
  : R extends { ok: { bytes: string } }
    ? BytesAnswer
    : R extends { ok: { status: 302 } }
      ? Landing
      : void;
