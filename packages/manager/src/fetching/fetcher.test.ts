import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as zlib from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { createFakeClock, systemClock } from '@sbox/core';
import { createFetcher, type FetcherOptions } from './fetcher.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

async function listen(answer: Answer) {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    requests,
    port,
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

const open = (more: Partial<FetcherOptions> = {}) =>
  createFetcher({
    allow: ['127.0.0.0/8'],
    timeoutMs: 10_000,
    maxBytes: 100_000,
    maxRedirects: 5,
    clock: systemClock,
    random: () => 0,
    ...more,
  });

const failure = async (promise: Promise<unknown>): Promise<{ code: string; message: string; details: unknown }> =>
  await promise.then(
    () => ({ code: 'none', message: 'it went well', details: undefined }),
    (error: unknown) => error as { code: string; message: string; details: unknown },
  );

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');

test('gives the bytes and the headers, and says who asks', async () => {
  await using server = await listen((_, response) =>
    response.writeHead(200, { ETag: '"1"', 'Subscription-Userinfo': 'total=1', 'set-cookie': 'a=b' }).end('nodes'),
  );
  await using fetcher = open({ version: '1.2.3' });
  const result = await fetcher.fetch({ url: `${server.url}/sub?token=t#fragment` });
  expect(result).toMatchObject({ kind: 'content', status: 200 });
  if (result.kind !== 'content') return;
  expect(text(result.bytes)).toBe('nodes');
  expect(result.headers).toMatchObject({ etag: '"1"', 'subscription-userinfo': 'total=1' });
  expect(result.headers).not.toHaveProperty('set-cookie');
  expect(server.requests[0]?.url).toBe('/sub?token=t');
  expect(server.requests[0]?.headers['user-agent']).toBe('sbox/1.2.3');
});

test('sends what the source asks for, but not what belongs to the connection', async () => {
  await using server = await listen((_, response) => response.end());
  await using fetcher = open();
  await fetcher.fetch({
    url: server.url.replace('//', '//na%20me:p%zz@'),
    user_agent: 'clash.meta',
    headers: { 'X-HWID': '7', Host: 'inside.test', 'Transfer-Encoding': 'chunked' },
  });
  expect(server.requests[0]?.headers).toMatchObject({
    'user-agent': 'clash.meta',
    'x-hwid': '7',
    host: `127.0.0.1:${server.port}`,
    authorization: `Basic ${Buffer.from('na me:p%zz').toString('base64')}`,
  });
});

test('a cached answer is asked about, and 304 is no content', async () => {
  await using server = await listen((request, response) =>
    response.writeHead(request.headers['if-none-match'] === '"1"' ? 304 : 500).end(),
  );
  await using fetcher = open();
  expect(await fetcher.fetch({ url: server.url }, { etag: '"1"', last_modified: 'then' })).toEqual({
    kind: 'not-modified',
    status: 304,
  });
  expect(server.requests[0]?.headers['if-modified-since']).toBe('then');
});

describe('where it may go', () => {
  test('an address literal that is not allowed is refused before a connection is made', async () => {
    await using server = await listen((_, response) => response.end('inside'));
    await using fetcher = open({ allow: [] });
    const urls = ['127.0.0.1', '127.1', '2130706433', '0x7f.1', '[::ffff:127.0.0.1]', '0', '[::1]', '[::127.0.0.1]'];
    for (const host of urls) {
      expect(await failure(fetcher.fetch({ url: `http://${host}:${server.port}/` }))).toMatchObject({
        code: 'fetch.blocked',
      });
    }
    expect(server.requests).toHaveLength(0);
  });

  test('a name that leads inside is refused, and one public address does not excuse a private one', async () => {
    await using server = await listen((_, response) => response.end('inside'));
    for (const found of [['127.0.0.1'], ['93.184.216.34', '127.0.0.1'], ['::ffff:127.0.0.1'], []]) {
      await using fetcher = open({
        allow: [],
        resolve: async () => await Promise.resolve(found.map((address) => ({ address, family: 4 }))),
      });
      expect(await failure(fetcher.fetch({ url: `http://provider.test:${server.port}/secret-path` }))).toMatchObject({
        code: 'fetch.blocked',
        details: { host: 'provider.test' },
      });
    }
    expect(server.requests).toHaveLength(0);
  });

  test('a name is looked up once, and the connection goes to the address that was checked (rebinding)', async () => {
    await using server = await listen((_, response) => response.end('good'));
    const answers = ['127.0.0.1', '127.0.0.99'];
    let lookUps = 0;
    await using fetcher = open({
      resolve: async () => await Promise.resolve([{ address: answers[lookUps++] ?? '', family: 4 }]),
    });
    const result = await fetcher.fetch({ url: `http://rebinding.test:${server.port}/` });
    expect(result.kind === 'content' && text(result.bytes)).toBe('good');
    expect(lookUps).toBe(1);
    expect(server.requests[0]?.headers.host).toBe(`rebinding.test:${server.port}`);
  });

  test.each([
    'http://169.254.169.254/latest/meta-data/',
    'http://[fe80::1]/',
    'file:///etc/passwd',
    'http://127.0.0.1:22/',
  ])('a redirect to %s is refused', async (location) => {
    await using server = await listen((_, response) => response.writeHead(302, { location }).end());
    await using fetcher = open();
    expect(await failure(fetcher.fetch({ url: server.url }))).toMatchObject({ code: 'fetch.blocked' });
    expect(server.requests).toHaveLength(1);
  });
});

describe('redirects', () => {
  test('are followed; at another origin credentials and headers are gone, and stay gone', async () => {
    await using other = await listen((_, response) => response.writeHead(307, { location: `${home.url}/back` }).end());
    await using home = await listen((request, response) => {
      if (request.url === '/start') response.writeHead(301, { location: '/next' }).end();
      else if (request.url === '/next') response.writeHead(302, { location: `${other.url}/away` }).end();
      else response.end('end');
    });
    await using fetcher = open();
    const url = `${home.url.replace('//', '//user:pass@')}/start`;
    const result = await fetcher.fetch({ url, user_agent: 'agent', headers: { 'x-key': 'k' } });
    expect(result.kind === 'content' && text(result.bytes)).toBe('end');
    const seen = [...home.requests, ...other.requests].map(({ url: path, headers }) => [
      path,
      headers['x-key'],
      headers.authorization !== undefined,
      headers['user-agent'],
    ]);
    expect(seen).toEqual([
      ['/start', 'k', true, 'agent'],
      ['/next', 'k', true, 'agent'],
      ['/back', undefined, false, 'agent'],
      ['/away', undefined, false, 'agent'],
    ]);
  });

  test('are limited', async () => {
    await using server = await listen((_, response) => response.writeHead(302, { location: '/again' }).end());
    await using fetcher = open({ maxRedirects: 3 });
    expect(await failure(fetcher.fetch({ url: server.url }))).toMatchObject({
      code: 'fetch.redirects',
      details: { host: '127.0.0.1', max_redirects: 3 },
    });
    expect(server.requests).toHaveLength(4);
  });
});

describe('sizes', () => {
  const encoders = {
    gzip: zlib.gzipSync,
    deflate: zlib.deflateSync,
    br: zlib.brotliCompressSync,
    zstd: zlib.zstdCompressSync,
  };

  test.each(Object.entries(encoders))('%s is undone, and a bomb in it is stopped', async (encoding, encode) => {
    await using server = await listen((request, response) => {
      const body = request.url === '/bomb' ? Buffer.alloc(50_000_000) : Buffer.from('nodes');
      response.writeHead(200, { 'content-encoding': encoding }).end(encode(body));
    });
    await using fetcher = open();
    const result = await fetcher.fetch({ url: server.url });
    expect(result.kind === 'content' && text(result.bytes)).toBe('nodes');
    expect(await failure(fetcher.fetch({ url: `${server.url}/bomb` }))).toMatchObject({
      code: 'fetch.inflated-too-large',
      details: { host: '127.0.0.1', max_bytes: 100_000 },
    });
    expect(server.requests).toHaveLength(2);
  });

  test('bare deflate and two encodings are undone', async () => {
    await using server = await listen((request, response) => {
      if (request.url === '/bare')
        response.writeHead(200, { 'content-encoding': 'deflate' }).end(zlib.deflateRawSync('nodes'));
      else response.writeHead(200, { 'content-encoding': 'gzip, br' }).end(encoders.br(encoders.gzip('nodes')));
    });
    await using fetcher = open();
    for (const path of ['/bare', '/two']) {
      const result = await fetcher.fetch({ url: server.url + path });
      expect(result.kind === 'content' && text(result.bytes)).toBe('nodes');
    }
  });

  test('a torn body, and an encoding that is not known, are failures', async () => {
    await using server = await listen((request, response) => {
      if (request.url === '/torn')
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(encoders.gzip('nodes').subarray(0, 12));
      else response.writeHead(200, { 'content-encoding': 'constructor' }).end('x');
    });
    await using fetcher = open();
    for (const path of ['/torn', '/unknown'])
      expect(await failure(fetcher.fetch({ url: server.url + path }))).toMatchObject({ code: 'fetch.failed' });
    expect(server.requests).toHaveLength(2);
  });

  test('a body without end is cut at the limit', async () => {
    await using server = await listen((_, response) => {
      const more = (): void => {
        while (response.write(Buffer.alloc(10_000)));
        response.once('drain', more);
      };
      more();
    });
    await using fetcher = open();
    expect(await failure(fetcher.fetch({ url: server.url }))).toMatchObject({ code: 'fetch.too-large' });
  });
});

describe('failures', () => {
  test('of the server are tried twice more, then told without the path', async () => {
    await using server = await listen((_, response) => response.writeHead(503).end('no'));
    const clock = createFakeClock();
    await using fetcher = open({ clock, random: () => 1 });
    const failed = failure(fetcher.fetch({ url: `${server.url}/private?token=hidden` }));
    // The overall limit sleeps too, so the wait between two tries is the second sleeper.
    for (const waitMs of [500, 1000]) {
      await clock.untilSleeping(2);
      await clock.advance(waitMs);
    }
    const problem = await failed;
    expect(problem).toMatchObject({ code: 'fetch.status', details: { host: '127.0.0.1', status: 503 } });
    expect(JSON.stringify([problem.message, problem.details])).not.toMatch(/private|hidden/);
    expect(server.requests).toHaveLength(3);
    expect(clock.sleeping).toBe(0);
  });

  test('a wrong link is not tried again', async () => {
    await using server = await listen((_, response) => response.writeHead(404).end());
    await using fetcher = open();
    expect(await failure(fetcher.fetch({ url: server.url }))).toMatchObject({ code: 'fetch.status' });
    expect(server.requests).toHaveLength(1);
  });

  test('Retry-After is waited for, and a wait beyond the time limit is not begun', async () => {
    let retryAfter = '3';
    await using server = await listen((_, response) =>
      server.requests.length === 1 || retryAfter !== '3'
        ? response.writeHead(429, { 'retry-after': retryAfter }).end()
        : response.end('nodes'),
    );
    const clock = createFakeClock();
    await using fetcher = open({ clock });
    const result = fetcher.fetch({ url: server.url });
    await clock.untilSleeping(2);
    await clock.advance(2999);
    expect(server.requests).toHaveLength(1);
    await clock.advance(1);
    expect(await result).toMatchObject({ kind: 'content' });
    retryAfter = new Date(clock.now() + 60_000).toUTCString();
    expect(await failure(fetcher.fetch({ url: server.url }))).toMatchObject({ code: 'fetch.status' });
    expect(server.requests).toHaveLength(3);
  });

  test('a dead port is a failed fetch', async () => {
    const { port } = await listen(() => {}).then(async (server) => {
      await server[Symbol.asyncDispose]();
      return server;
    });
    await using fetcher = open();
    expect(await failure(fetcher.fetch({ url: `http://127.0.0.1:${port}/path` }))).toMatchObject({
      code: 'fetch.failed',
      message: '127.0.0.1: ECONNREFUSED',
    });
  });

  test('a name that does not exist is a failed fetch', async () => {
    await using fetcher = open({
      resolve: async () => await Promise.reject(Object.assign(new Error('getaddrinfo'), { code: 'ENOTFOUND' })),
    });
    expect(await failure(fetcher.fetch({ url: 'https://gone.test/path' }))).toMatchObject({
      code: 'fetch.failed',
      message: 'gone.test: ENOTFOUND',
    });
  });

  test.each(['no url', 'http://', ''])('%j is no address, and is not repeated', async (url) => {
    await using fetcher = open();
    expect(await failure(fetcher.fetch({ url }))).toMatchObject({
      code: 'fetch.failed',
      message: 'the address is not a URL',
    });
  });

  test('a header that cannot be sent is told, not tried', async () => {
    await using fetcher = open();
    expect(
      await failure(fetcher.fetch({ url: 'http://127.0.0.1:9999/', headers: { 'x-a': 'b\r\nc: d' } })),
    ).toMatchObject({
      code: 'fetch.failed',
      message: 'a header of the source cannot be sent',
    });
  });
});

describe('time', () => {
  test.each(['headers', 'body'])('slow %s end at the time limit', async (part) => {
    const arrived = Promise.withResolvers<void>();
    await using server = await listen((_, response) => {
      if (part === 'body') response.writeHead(200).write('some');
      arrived.resolve();
    });
    const clock = createFakeClock();
    await using fetcher = open({ clock });
    const failed = failure(fetcher.fetch({ url: `${server.url}/path` }));
    await arrived.promise;
    await clock.advance(10_000);
    expect(await failed).toMatchObject({ code: 'fetch.timeout', details: { host: '127.0.0.1', timeout_ms: 10_000 } });
  });

  test('the caller can stop, and gets its own reason', async () => {
    const arrived = Promise.withResolvers<void>();
    await using server = await listen(() => arrived.resolve());
    await using fetcher = open();
    const controller = new AbortController();
    const failed = failure(fetcher.fetch({ url: server.url }, undefined, controller.signal));
    await arrived.promise;
    controller.abort(new Error('enough'));
    expect(await failed).toMatchObject({ message: 'enough' });
  });

  test('dispose cuts what runs', async () => {
    const arrived = Promise.withResolvers<void>();
    await using server = await listen(() => arrived.resolve());
    const fetcher = open();
    const failed = failure(fetcher.fetch({ url: server.url }));
    await arrived.promise;
    await fetcher[Symbol.asyncDispose]();
    expect(await failed).toMatchObject({ code: 'fetch.failed', message: 'the manager is stopping' });
  });
});
