import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, test } from '@jest/globals';
import { ProblemError, type ProblemCode } from '@sbox/core';
import { problemAnswer, refuseConnection } from './problem-answer.ts';

const limited = { policy: 'token', limit: 600, window_s: 60, retry_after_s: 7 };

test.each<[ProblemCode, Record<string, unknown>, number, Record<string, string>]>([
  ['config.not-found', {}, 404, {}],
  ['auth.missing', {}, 401, { 'www-authenticate': 'Bearer' }],
  ['auth.login-failed', { retry_after_s: 7 }, 401, { 'www-authenticate': 'Bearer', 'retry-after': '7' }],
  ['route.method-not-allowed', { allow: 'GET, HEAD' }, 405, { allow: 'GET, HEAD' }],
  [
    'request.rate-limited',
    limited,
    429,
    { 'retry-after': '7', 'ratelimit-policy': '"token";q=600;w=60', ratelimit: '"token";r=0;t=7' },
  ],
])('headers follow the problem: %s', (code, details, status, headers) => {
  const answer = problemAnswer(new ProblemError(code, 'no', { details }), 'req_1');
  expect(answer.status).toBe(status);
  expect(answer.headers).toEqual({ 'content-type': 'application/problem+json', ...headers });
  expect(JSON.parse(answer.body)).toMatchObject({ code, detail: 'no', instance: 'req_1' });
});

test('over a bare connection nothing is said of what broke inside', async () => {
  const socket = new PassThrough();
  refuseConnection(socket, new TypeError('password is hunter2'));
  const raw = await text(socket);
  expect(raw).toMatch(/^HTTP\/1\.1 500 Refused\r\n/);
  expect(raw).toContain('"internal.error"');
  expect(raw).not.toContain('hunter2');
});
