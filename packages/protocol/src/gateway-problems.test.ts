import { expect, test } from '@jest/globals';
import * as z from 'zod/mini';
import { gatewayProblemsOf } from './gateway-problems.ts';
import { route, type Route } from './route.ts';
import { idempotencyHeaders, ifMatchHeaders } from './schema.ts';

const problemsOf = (change: Partial<Route>): readonly string[] =>
  gatewayProblemsOf({
    ...route({
      id: 'getThing',
      method: 'get',
      path: '/things',
      summary: 'Things',
      permission: 'public',
      ok: { status: 204 },
      problems: [],
      example: {},
    }),
    ...change,
  });

test.each<[string, Partial<Route>, string, boolean]>([
  ['anybody may ask too often', {}, 'request.rate-limited', true],
  ['nobody needs credentials for what is public', {}, 'auth.missing', false],
  ['a permission needs them', { permission: 'status:read' }, 'auth.missing', true],
  ['being somebody needs them too', { permission: 'self' }, 'auth.missing', true],
  ['agents sign', { permission: 'agent' }, 'auth.signature-missing', true],
  ['and have no token', { permission: 'agent' }, 'auth.missing', false],
  ['no body is too large where there is none', {}, 'request.too-large', false],
  ['a body may be too large', { body: z.object({}) }, 'request.too-large', true],
  ['and too deep', { body: z.object({}) }, 'request.too-deep', true],
  ['bytes have no depth', { rawBody: 'x/y' }, 'request.too-deep', false],
  ['If-Match may miss', { headers: ifMatchHeaders }, 'precondition.required', true],
  ['a key may be used twice', { headers: idempotencyHeaders }, 'request.idempotency-mismatch', true],
  ['without headers neither', {}, 'precondition.required', false],
])('%s', (_name, change, code, expected) => {
  expect(problemsOf(change).includes(code)).toBe(expected);
});
