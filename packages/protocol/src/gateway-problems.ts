import type { ProblemCode } from '@sbox/core';
import * as z from 'zod/mini';
import type { Route } from './route.ts';
import { isDangerous, revealParameter } from './step-up.ts';

/** What the way to a handler may answer, before it and beside the problems that a route names. */
const gatewayProblems = {
  every: ['request.not-http', 'request.invalid', 'request.rate-limited', 'internal.error', 'internal.unavailable'],
  guarded: [
    'auth.missing',
    'auth.invalid',
    'auth.forbidden',
    'auth.out-of-bounds',
    'auth.session-ended',
    'auth.foreign-origin',
    'auth.insecure',
  ],
  dangerous: ['auth.step-up-required'],
  signed: ['auth.signature-missing', 'auth.signature-invalid', 'auth.clock-skew', 'auth.revoked'],
  body: ['request.too-large', 'request.timeout', 'request.digest-mismatch'],
  json: ['request.malformed', 'request.unsupported-media-type', 'request.too-deep'],
  match: ['precondition.required', 'precondition.failed'],
  replay: ['request.idempotency-mismatch'],
} as const satisfies Readonly<Record<string, readonly ProblemCode[]>>;

/** Codes that any request of the route may meet, whatever its handler does. */
export const gatewayProblemsOf = (route: Route): readonly ProblemCode[] => {
  const headers = headerNames(route);
  const isSigned = route.permission === 'agent';
  const hasBody = route.body !== undefined || route.rawBody !== undefined;
  return [
    ...gatewayProblems.every,
    ...(route.permission === 'public' || isSigned ? [] : gatewayProblems.guarded),
    ...(isDangerous(route, queryNames(route).includes(revealParameter)) ? gatewayProblems.dangerous : []),
    ...(isSigned ? gatewayProblems.signed : []),
    ...(hasBody ? gatewayProblems.body : []),
    ...(route.body ? gatewayProblems.json : []),
    ...(headers.includes('if-match') ? gatewayProblems.match : []),
    ...(headers.includes('idempotency-key') ? gatewayProblems.replay : []),
  ];
};

const queryNames = ({ query }: Route): readonly string[] =>
  query instanceof z.ZodMiniObject ? Object.keys(query.shape) : [];

const headerNames = ({ headers }: Route): readonly string[] =>
  headers instanceof z.ZodMiniObject ? Object.keys(headers.shape) : [];
