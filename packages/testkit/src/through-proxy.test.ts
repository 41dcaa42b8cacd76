import { createServer } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { freePorts } from './free-ports.ts';
import { type Origin, startOrigin } from './origin.ts';
import { type RunningSingBox, pinnedSingBox, startSingBox } from './sing-box.ts';
import { type TestDirectory, openTestDirectory } from './test-directory.ts';
import { openStreamThrough, requestThrough } from './through-proxy.ts';

let directory: TestDirectory;
let proxy: RunningSingBox;
let origin: Origin;
let proxyPort: number;

beforeAll(async () => {
  directory = openTestDirectory('proxy');
  origin = await startOrigin();
  proxy = await startSingBox({
    singBox: pinnedSingBox(),
    dir: directory.path,
    ports: 1,
    config: ([port]) => ({
      inbounds: [{ type: 'mixed', listen: '127.0.0.1', listen_port: port }],
      outbounds: [{ type: 'direct' }],
    }),
  });
  proxyPort = proxy.ports[0] ?? 0;
});

afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await origin[Symbol.asyncDispose]();
  await directory[Symbol.asyncDispose]();
});

test('a request says how long it took', async () => {
  const { status, ms } = await requestThrough({ proxyPort, url: origin.url });
  expect(status).toBe(200);
  expect(ms).toBeGreaterThan(0);
});

test('a stream lives until it is disposed', async () => {
  const stream = await openStreamThrough({ proxyPort, url: origin.streamUrl, via: 'http' });
  await stream.nextBytes();
  expect(stream.receivedBytes).toBeGreaterThan(0);
  stream[Symbol.dispose]();
  await expect(stream.closed).resolves.toEqual(expect.any(String));
  await expect(stream.nextBytes()).rejects.toThrow('stream');
});

test('a proxy that is not there is an error at once', async () => {
  const [closedPort = 0] = await freePorts(1);
  await expect(requestThrough({ proxyPort: closedPort, url: origin.url })).rejects.toThrow('ECONNREFUSED');
});

test.each(['socks5', 'http'] as const)('a target that is not there is an error by %s', async (via) => {
  const [closedPort = 0] = await freePorts(1);
  await expect(requestThrough({ proxyPort, url: `http://127.0.0.1:${closedPort}/`, via })).rejects.toThrow();
});

test.each(['socks5', 'http'] as const)('a proxy that says nothing ends by the time-out, by %s', async (via) => {
  await using silent = createServer();
  const port = await new Promise<number>((resolve) =>
    silent.listen(0, '127.0.0.1', () => resolve((silent.address() as { port: number }).port)),
  );
  const opened: { destroy(): unknown }[] = [];
  silent.on('connection', (socket) => opened.push(socket));
  await expect(requestThrough({ proxyPort: port, url: origin.url, via, timeoutMs: 100 })).rejects.toThrow(
    /abort|time/i,
  );
  for (const socket of opened) socket.destroy();
});

test('https is refused before anything is sent', async () => {
  await expect(requestThrough({ proxyPort, url: 'https://example.test/' })).rejects.toThrow('only http:');
});
