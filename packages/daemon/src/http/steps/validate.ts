import { ProblemError } from '@sbox/core';
import type { Route, Schema } from '@sbox/protocol';
import * as z from 'zod/mini';
import type { Exchange, GuardedRequest, Step } from '../exchange.ts';
import { readJsonBody } from '../json-body.ts';

export interface ValidateOptions {
  /** Ignores a query and a body that the route does not know: the caller may be of a later version. */
  readonly isTolerant?: boolean;
}

/** Reads every part of the request as the schemas of the route say; what they do not know is refused. */
export function createValidate(route: Route, { isTolerant = false }: ValidateOptions = {}): Step {
  const needsMatch = asksForMatch(route.headers);
  return async (exchange, next) => {
    const { request, params } = exchange;
    if (needsMatch && request.headers['if-match'] === undefined)
      throw new ProblemError('precondition.required', 'writing needs the ETag of what was read, in If-Match');
    exchange.args = {
      params: check('path', route.params, params),
      query: checkQuery(route.query, request.path, isTolerant),
      headers: check('header', route.headers, request.headers),
      body: await readBody(exchange, isTolerant),
    };
    return await next();
  };
}

const asksForMatch = (schema: Schema | undefined): boolean =>
  schema !== undefined && z.safeParse(schema, {}).error?.issues[0]?.path[0] === 'if-match';

function checkQuery(schema: Schema | undefined, path: GuardedRequest['path'], isTolerant: boolean): unknown {
  const start = path.indexOf('?');
  if (start < 0) return check('query', schema, {});
  if (!schema && isTolerant) return undefined;
  const fields = new URLSearchParams(path.slice(start));
  const names = [...fields.keys()];
  const seen = new Set<string>();
  const doubled = names.find((name) => seen.size === seen.add(name).size);
  if (doubled !== undefined) throw invalid('query', [{ field: doubled, message: 'is there more than once' }]);
  if (!schema && names[0] !== undefined)
    throw invalid('query', [{ field: names[0], message: 'is not known: this address takes no query' }]);
  return check('query', schema, Object.fromEntries(fields));
}

async function readBody(exchange: Exchange, isTolerant: boolean): Promise<unknown> {
  const { route, request } = exchange;
  if (route.streamBody !== undefined) return exchange.openBody();
  exchange.rawBody = await request.readBody();
  if (route.rawBody !== undefined) return exchange.rawBody;
  if (route.body) return check('body', route.body, readJsonBody(request.headers, exchange.rawBody));
  if (!isTolerant && !isNothing(exchange.rawBody))
    throw invalid('body', [{ field: '', message: 'this address takes none' }]);
  return undefined;
}

/** Many clients send an empty object where there is nothing to say. */
const isNothing = (body: Uint8Array): boolean =>
  body.length === 0 || (body.length === 2 && Buffer.from(body).toString() === '{}');

interface Issue {
  readonly field: string;
  readonly message: string;
}

function check(where: string, schema: Schema | undefined, value: unknown): unknown {
  if (!schema) return undefined;
  const parsed = z.safeParse(schema, value);
  if (parsed.success) return parsed.data;
  throw invalid(
    where,
    parsed.error.issues.map(({ path, message }) => ({ field: path.join('.'), message })),
  );
}

const invalid = (where: string, issues: readonly Issue[]): ProblemError =>
  new ProblemError('request.invalid', `${[where, issues[0]?.field].filter(Boolean).join(' ')}: ${issues[0]?.message}`, {
    details: { issues: issues.map((issue) => ({ where, ...issue })) },
  });
