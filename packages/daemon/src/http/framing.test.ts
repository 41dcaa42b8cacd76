import { connect } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { createFakeClock } from '@sbox/core';
import { route } from '@sbox/protocol';
import * as z from 'zod/mini';
import { silentLogger } from '../log.ts';
import { createApp } from './app.ts';
import { createGatekeeper } from './gatekeeper.ts';
import { startListener, type Listener, type ListenerOptions } from './listener.ts';
import { mount } from './mount.ts';

const post = route({
  id: 'postThing',
  method: 'post',
  path: '/things',
  summary: 'Take a thing',
  permission: 'public',
  body: z.strictObject({ name: z.string() }),
  ok: { status: 201, schema: z.object({ name: z.string() }) },
  problems: [],
  example: { body: { name: 'a' } },
});

/** A listener as programs open it, and what reached its handler. */
async function open(options: Partial<ListenerOptions> = {}) {
  const seen: string[] = [];
  const app = createApp({ log: silentLogger, clock: createFakeClock(), newId: () => 'req_1' });
  const gatekeeper = createGatekeeper({
    authenticate: async () => await Promise.reject(new Error('nobody asks for a caller here')),
  });
  const authenticate = async () => await Promise.resolve({ ...caller });
  const handlers = {
    post: async ({ body }: { body: { name: string } }) => {
      seen.push(body.name);
      return await Promise.resolve(body);
    },
  };
  mount(app, { post }, handlers, { gatekeeper: { ...gatekeeper, authenticate }, maxBodyBytes: 1000 });
  const listener = await startListener({ address: '127.0.0.1:0', fetch: app.fetch, ...options });
  return { listener, seen, [Symbol.asyncDispose]: listener[Symbol.asyncDispose] };
}
const caller = { kind: 'anonymous', id: 'anonymous', name: 'anonymous', permissions: new Set<never>() } as const;

/** Everything that comes back until the other side ends the connection. */
const exchangeRaw = async ({ port }: Listener, sent: string): Promise<string> =>
  await new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(port ?? 0, '127.0.0.1', () => socket.write(sent));
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(received));
  });

/** The answers of a connection: status, headers and problem of each. */
const readAnswer = (raw: string) => {
  const [head = '', body = ''] = raw.split('\r\n\r\n');
  const [line = '', ...fields] = head.split('\r\n');
  const headers = new Headers(fields.map((field) => field.split(/: (.*)/s).slice(0, 2) as [string, string]));
  const isProblem = headers.get('content-type') === 'application/problem+json';
  return {
    status: Number(line.split(' ')[1]),
    headers,
    length: body.length,
    code: isProblem ? (JSON.parse(body) as { code: string }).code : undefined,
  };
};

const body = '{"name":"a"}';
const good = `POST /things HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nConnection: close\r\n`;

test('a request that is right is answered, over a raw connection too', async () => {
  await using manager = await open();
  const raw = await exchangeRaw(manager.listener, `${good}Content-Length: ${body.length}\r\n\r\n${body}`);
  expect(readAnswer(raw).status).toBe(201);
  expect(manager.seen).toEqual(['a']);
});

describe('refused before any handler, with a problem, and the connection ends', () => {
  const get = 'GET /things HTTP/1.1\r\n';
  const chunked = 'Transfer-Encoding: chunked\r\n';
  const chunks = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  test.each([
    ['TRACE', 'TRACE /things HTTP/1.1\r\nHost: a\r\n\r\n', 405, 'route.method-not-allowed'],
    ['CONNECT', 'CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n', 405, 'route.method-not-allowed'],
    ['a method that Node knows', 'PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n', 405, 'route.method-not-allowed'],
    ['a method that nobody knows', 'BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n', 501, 'request.unknown-method'],
    ['two Host headers', `${get}Host: a\r\nHost: b\r\n\r\n`, 400, 'request.not-http'],
    ['two equal Host headers', `${get}Host: a\r\nhost: a\r\n\r\n`, 400, 'request.not-http'],
    ['no Host header', `${get}\r\n`, 400, 'request.not-http'],
    ['a Host that is none', `${get}Host: a b/c\r\n\r\n`, 400, 'request.not-http'],
    ['a backslash in the path', 'GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n', 400, 'request.not-http'],
    ['length and chunks', `${good}Content-Length: ${body.length}\r\n${chunked}\r\n${chunks}`, 400, 'request.not-http'],
    ['chunks and length', `${good}${chunked}Content-Length: ${body.length}\r\n\r\n${chunks}`, 400, 'request.not-http'],
    ['two lengths', `${good}Content-Length: 12\r\nContent-Length: 3\r\n\r\n${body}`, 400, 'request.not-http'],
    ['another coding', `${good}Transfer-Encoding: chunked, identity\r\n\r\n${chunks}`, 400, 'request.not-http'],
    ['a length that is none', `${good}Content-Length: 1x\r\n\r\n${body}`, 400, 'request.not-http'],
    ['a folded header', `${get}Host: a\r\nX-A: b\r\n c\r\n\r\n`, 400, 'request.not-http'],
    ['a blank before the colon', `${get}Host: a\r\nX-A : b\r\n\r\n`, 400, 'request.not-http'],
    ['a bare line feed', 'GET /things HTTP/1.1\nHost: a\n\n', 400, 'request.not-http'],
    ['no HTTP', 'EHLO mail.test\r\n', 501, 'request.unknown-method'],
    ['too many headers', `${get}Host: a\r\nX-A: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'request.headers-too-large'],
  ])('%s', async (_name, sent, status, code) => {
    await using manager = await open();
    const answer = readAnswer(await exchangeRaw(manager.listener, sent));
    expect(answer).toMatchObject({ status, code });
    expect(answer.headers.get('content-length')).toBe(String(answer.length));
    expect(answer.headers.get('connection')).toBe('close');
    expect(manager.seen).toEqual([]);
  });

  test('a refused method says which are taken', async () => {
    await using manager = await open();
    const { headers } = readAnswer(await exchangeRaw(manager.listener, 'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n'));
    expect(headers.get('allow')).toBe('GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS');
  });

  test('headers that drip', async () => {
    await using manager = await open({ headersTimeoutMs: 50 });
    const answer = readAnswer(await exchangeRaw(manager.listener, 'GET / HTTP/1.1\r\nHost: a\r\nX-'));
    expect(answer).toMatchObject({ status: 408, code: 'request.timeout' });
  });

  test('an upgrade with two hosts', async () => {
    let isUpgraded = false;
    await using manager = await open({
      upgrade: (_, socket) => {
        isUpgraded = true;
        socket.destroy();
      },
    });
    const sent = 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n';
    expect(readAnswer(await exchangeRaw(manager.listener, sent))).toMatchObject({ code: 'request.not-http' });
    expect(isUpgraded).toBe(false);
  });
});

test('a second answer is never written into the middle of the first', async () => {
  const begun = Promise.withResolvers<void>();
  await using listener = await startListener({
    address: '127.0.0.1:0',
    fetch: async ({ url }) => {
      if (url.endsWith('/later')) return await new Promise<never>(() => {});
      return new Response(
        new ReadableStream({
          pull(controller) {
            controller.enqueue(new TextEncoder().encode('part'));
            begun.resolve();
            return new Promise(() => {});
          },
        }),
      );
    },
  });
  const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
  let received = '';
  const socket = connect(listener.port ?? 0, '127.0.0.1', () => socket.write(`${get('/')}${get('/later')}`));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('error', () => {});
  const isHere = new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1');
      if (received.includes('part')) resolve();
    });
  });
  await Promise.all([begun.promise, isHere]);
  socket.write('no HTTP at all\r\n\r\n');
  await closed;
  expect(received).toContain('200 OK');
  expect(received.match(/HTTP\/1\.1/g)).toHaveLength(1);
});
