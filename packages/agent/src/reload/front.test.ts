import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { systemClock } from '@sbox/core';
import { silentLogger } from '@sbox/daemon/log';
import { expect, test } from '@jest/globals';
import { createFront } from './front.ts';

async function listen(onConnection: (socket: Socket) => void): Promise<{ server: Server; port: number }> {
  const server = createServer({ allowHalfOpen: true }, onConnection).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

async function freePort(): Promise<number> {
  const { server, port } = await listen(() => {});
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Says its name when all has been said to it. */
const answering = async (name: string) =>
  await listen((socket) => {
    socket.on('error', () => {});
    void text(socket).then((said) => socket.end(`${name}:${said.length}`));
  });

const frontTo = (from: number, to: number) => ({
  redirects: [{ network: 'tcp', listen: '127.0.0.1', from, to }] as const,
  isTracked: false,
  served: [],
});

test('each connection goes to the engine of its time, and an end in one direction leaves the other open', async () => {
  await using front = createFront({ clock: systemClock, log: silentLogger });
  const [a, b] = [await answering('a'), await answering('b')];
  const port = await freePort();
  await front.point('edge', frontTo(port, a.port));
  const early = connect(port, '127.0.0.1');
  await once(early, 'connect');
  await once(a.server, 'connection');
  await front.point('edge', frontTo(port, b.port));
  // More than fits into any buffer on the way.
  const size = 5_000_000;
  early.end(Buffer.alloc(size));
  const late = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).end('four');
  expect([await text(early), await text(late)]).toEqual([`a:${size}`, 'b:4']);
  await front.point('edge', { served: [], redirects: [], isTracked: false });
  await expect(once(connect(port, '127.0.0.1'), 'connect')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  for (const { server } of [a, b]) server.close();
});

test('an engine that is a moment late is waited for; what comes beyond the limit is refused', async () => {
  await using front = createFront({ clock: systemClock, log: silentLogger, maxConnections: 1 });
  const [port, to] = [await freePort(), await freePort()];
  await front.point('edge', frontTo(port, to));
  const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await once(client, 'connect');
  const server = createServer((socket) => void socket.write('late')).listen(to, '127.0.0.1');
  expect(String((await once(client, 'data'))[0])).toBe('late');
  const beyond = connect(port, '127.0.0.1').on('error', () => {});
  await once(beyond, 'close');
  client.destroy();
  server.close();
});

test('UDP and a port that is taken are refused', async () => {
  await using front = createFront({ clock: systemClock, log: silentLogger });
  const udp = { tag: 'hy2', path: 'inbounds[0]', listen: '::', listen_port: 443, network: 'udp' } as const;
  expect(await front.findProblem([udp])).toContain('"hy2"');
  expect(await front.findProblem([{ ...udp, network: 'tcp' }])).toBeUndefined();
  const { server, port } = await listen(() => {});
  await expect(front.point('edge', frontTo(port, 1))).rejects.toMatchObject({ code: 'apply.failed' });
  server.close();
});
