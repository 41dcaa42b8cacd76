import { describe, expect, test } from '@jest/globals';
import { createFakeClock, createNewId, ProblemError } from '@sbox/core';
import { randomBytes } from '../keys.ts';
import { createLogger, type LogSink } from '../log.ts';
import { createApp, type AppOptions, type RequestRecord } from './app.ts';

/** An app with one address, asked without a listener. */
function open(overrides: Partial<AppOptions> = {}) {
  const logged: Parameters<LogSink>[0][] = [];
  const records: RequestRecord[] = [];
  const app = createApp({
    log: createLogger((record) => logged.push(record), 'debug'),
    clock: createFakeClock(),
    newId: createNewId(randomBytes),
    record: (request) => records.push(request),
    ...overrides,
  });
  app.get('/things/:id', (c) => {
    if (c.req.param('id') === 'none') throw new ProblemError('config.not-found', 'none');
    return c.body('{}', 200, { 'content-type': 'application/json' });
  });
  app.get('/page', (c) => c.body('', 200, { 'content-security-policy': "default-src 'self'" }));
  const send = async (method: string, path: string, headers: Record<string, string> = {}) =>
    await app.request(path, { method, headers });
  return { logged, records, send };
}

test('every answer has a request id and the headers that keep browsers out', async () => {
  const { send } = open();
  const answer = await send('GET', '/things/a', { 'x-request-id': 'mine-1' });
  const headers = {
    'x-request-id': 'mine-1',
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  };
  expect(Object.fromEntries(answer.headers)).toMatchObject(headers);
  expect(answer.headers.get('strict-transport-security')).toBeNull();
  const refused = await send('GET', '/nowhere', { 'x-request-id': 'mine-1' });
  expect(Object.fromEntries(refused.headers)).toMatchObject(headers);
  for (const id of ['with blank', 'x'.repeat(65), '<a>'])
    expect((await send('GET', '/no', { 'x-request-id': id })).headers.get('x-request-id')).toMatch(/^req_/);
});

test('what an answer says of itself goes before what is said of all, for listed origins too', async () => {
  for (const corsOrigins of [[], ['https://panel.example']]) {
    const answer = await open({ corsOrigins }).send('GET', '/page', { origin: 'https://panel.example' });
    expect(answer.headers.get('content-security-policy')).toBe("default-src 'self'");
  }
});

test('a record for metrics names the pattern, never the path', async () => {
  const { send, records } = open();
  await send('GET', '/things/a');
  await send('GET', '/things/none');
  await send('GET', '/nowhere');
  expect(records.map(({ method, route: pattern, status }) => [method, pattern, status])).toEqual([
    ['GET', '/things/:id', 200],
    ['GET', '/things/:id', 404],
    ['GET', expect.not.stringContaining('nowhere'), 404],
  ]);
});

test('the trace of a caller is in the log, with the id that the answer has', async () => {
  const { send, logged } = open();
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  await send('GET', '/things/a', { traceparent, 'x-request-id': 'r1' });
  await send('GET', '/things/a', { traceparent: 'nonsense', 'x-request-id': 'r2' });
  const lines = logged.filter(({ msg }) => msg === 'request answered');
  expect(lines).toMatchObject([
    { request_id: 'r1', trace_id: '0af7651916cd43dd8448eb211c80319c', parent_span_id: 'b7ad6b7169203331' },
    { request_id: 'r2' },
  ]);
  expect(lines[1]).not.toHaveProperty('trace_id');
});

describe('pages of other origins', () => {
  const preflight = { 'access-control-request-method': 'PUT', 'access-control-request-headers': 'authorization' };
  const app = { corsOrigins: ['https://panel.example'] };

  test('have no way in by default', async () => {
    const { send } = open();
    const asked = await send('OPTIONS', '/things/a', { origin: 'https://panel.example', ...preflight });
    expect(asked.status).toBe(404);
    const answer = await send('GET', '/things/a', { origin: 'https://panel.example' });
    for (const { headers } of [asked, answer]) expect(headers.get('access-control-allow-origin')).toBeNull();
  });

  test('may ask and read when their origin is listed, and never with what a browser keeps', async () => {
    const { send } = open(app);
    const asked = await send('OPTIONS', '/things/a', { origin: 'https://panel.example', ...preflight });
    expect(asked.status).toBe(204);
    expect(Object.fromEntries(asked.headers)).toMatchObject({
      'access-control-allow-origin': 'https://panel.example',
      'access-control-allow-methods': 'GET, HEAD, POST, PUT, PATCH, DELETE',
      'access-control-allow-headers': expect.stringContaining('authorization') as unknown,
      vary: expect.stringContaining('Origin') as unknown,
    });
    // Without a method that it asks for it is no preflight.
    expect((await send('OPTIONS', '/things/a', { origin: 'https://panel.example' })).status).toBe(404);
    const answer = await send('GET', '/things/a', { origin: 'https://panel.example' });
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://panel.example');
    expect(answer.headers.get('access-control-expose-headers')).toContain('etag');
    const refused = await send('GET', '/nowhere', { origin: 'https://panel.example' });
    expect(refused.headers.get('access-control-allow-origin')).toBe('https://panel.example');
    for (const { headers } of [asked, answer]) expect(headers.get('access-control-allow-credentials')).toBeNull();
  });

  test.each(['https://panel.example.evil.test', 'http://panel.example', 'https://panel.example:8443', 'null'])(
    '%s is another origin',
    async (origin) => {
      const { send } = open(app);
      for (const method of ['OPTIONS', 'GET'])
        expect(
          (await send(method, '/things/a', { origin, ...preflight })).headers.get('access-control-allow-origin'),
        ).toBeNull();
    },
  );
});

test('over TLS browsers are told to stay there', async () => {
  const { send } = open({ isSecure: true });
  expect((await send('GET', '/things/a')).headers.get('strict-transport-security')).toBe('max-age=31536000');
});

test('a host name that is not served is 421', async () => {
  const { send } = open({ hostNames: new Set(['localhost', '[::1]']) });
  expect((await send('GET', '/things/a', { host: 'evil.test:80' })).status).toBe(421);
  expect((await send('GET', '/things/a')).status).toBe(421);
  for (const host of ['LOCALHOST:4780', 'localhost', '[::1]:4780', '[::1]'])
    expect((await send('GET', '/things/a', { host })).status).toBe(200);
});
