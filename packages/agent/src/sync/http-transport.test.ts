import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from '@jest/globals';
import { systemClock } from '@sbox/core';
import { silentLogger } from '@sbox/daemon/log';
import { createHttpTransport } from './http-transport.ts';
import { createServerClock } from './server-clock.ts';

async function listen(status: number, type: string): Promise<AsyncDisposable & { readonly url: string }> {
  const server: Server = createServer((_, response) => {
    response.writeHead(status, { 'content-type': type }).end(String(status));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const ask = async (...urls: string[]): Promise<number> => {
  await using transport = createHttpTransport({
    urls,
    ca: null,
    serverClock: createServerClock(systemClock),
    clock: systemClock,
    log: silentLogger,
    connectTimeoutMs: 1000,
  });
  const wanted = { method: 'GET', path: '/', headers: {}, body: undefined, signal: undefined };
  await transport.send(wanted);
  return (await transport.send(wanted)).status;
};

test('an address whose front finds no manager behind it is none: the next one is asked', async () => {
  await using front = await listen(502, 'text/html');
  await using manager = await listen(200, 'application/json');
  await using stopping = await listen(503, 'application/problem+json');
  expect(await ask(front.url, manager.url)).toBe(200);
  expect(await ask(front.url, 'http://127.0.0.1:1')).toBe(502);
  // The manager itself says so.
  expect(await ask(stopping.url, manager.url)).toBe(503);
});
