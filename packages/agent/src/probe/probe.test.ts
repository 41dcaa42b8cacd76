import { createServer, type Server } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer } from 'node:net';
import { systemClock } from '@sbox/core';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createProbe } from './probe.ts';

const probe = createProbe(systemClock);
const targets = { expect: [204], need: 1, timeout_ms: 300 };
const servers: (Server | TcpServer)[] = [];
let [good, bad, silent] = ['', '', ''];

async function listen(server: Server | TcpServer): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

beforeAll(async () => {
  const path = '/a?b=1';
  const answers = createServer((request, response) => {
    response.writeHead(request.url === path && request.headers.host?.startsWith('127.0.0.1:') ? 204 : 400).end();
  });
  good = `http://127.0.0.1:${await listen(answers)}${path}`;
  bad = `http://127.0.0.1:${await listen(createServer((_, response) => void response.writeHead(503).end()))}/`;
  silent = `http://127.0.0.1:${await listen(createServer(() => {}))}/`;
});

afterAll(() => {
  for (const server of servers) {
    server.close();
    if ('closeAllConnections' in server) server.closeAllConnections();
  }
});

describe('directly', () => {
  test('as many targets as needed must answer as expected', async () => {
    expect(await probe(undefined, { ...targets, urls: [good, bad] })).toMatchObject({
      ok: true,
      ms: expect.any(Number),
      detail: expect.stringContaining('answered 204'),
    });
    expect(await probe(undefined, { ...targets, urls: [good, bad], need: 2 })).toMatchObject({
      ok: false,
      detail: expect.stringContaining('answered 503'),
    });
  });

  test('one that is silent is given up in time, without hurting the others', async () => {
    const started = performance.now();
    expect(await probe(undefined, { ...targets, urls: [silent, good], timeout_ms: 30_000 })).toMatchObject({
      ok: true,
    });
    expect(await probe(undefined, { ...targets, urls: [silent] })).toMatchObject({
      ok: false,
      ms: null,
      detail: expect.stringContaining('no answer in 300 ms'),
    });
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test('what is no address is a failed probe and no exception', async () => {
    expect(await probe(undefined, { ...targets, urls: ['nonsense'] })).toMatchObject({ ok: false });
  });

  test('a certificate that nobody vouches for is no answer', async () => {
    const url = good.replace('http:', 'https:');
    expect(await probe(undefined, { ...targets, urls: [url] })).toMatchObject({ ok: false });
  });
});

describe('through an inbound', () => {
  test('what refuses is named', async () => {
    const refusing = createServer().on('connect', (_, socket) => socket.end('HTTP/1.1 502 no\r\n\r\n'));
    const way = { address: '127.0.0.1', port: await listen(refusing), type: 'mixed' };
    expect(await probe(way, { ...targets, urls: [good] })).toMatchObject({
      ok: false,
      detail: expect.stringContaining('502'),
    });
  });

  test('SOCKS inbounds are spoken to in SOCKS', async () => {
    const target = new URL(good);
    const server = createTcpServer((socket) => {
      socket.once('data', (hello) => {
        expect([...hello]).toEqual([5, 1, 0]);
        socket.write(Buffer.from([5, 0]));
        socket.once('data', (wanted) => {
          expect(wanted.subarray(5, 14).toString()).toBe(target.hostname);
          expect(wanted.readUInt16BE(wanted.length - 2)).toBe(Number(target.port));
          socket.write(Buffer.from([5, 0, 0, 1, 0, 0, 0, 0, 0, 0]));
          socket.once('data', () => socket.end('HTTP/1.1 204 ok\r\n\r\n'));
        });
      });
    });
    const way = { address: '127.0.0.1', port: await listen(server), type: 'socks' };
    expect(await probe(way, { ...targets, urls: [good] })).toMatchObject({ ok: true });
  });

  test.each([
    ['wants credentials', [5, 255], 'credentials'],
    ['refuses', [5, 0, 5, 5, 0, 1, 0, 0, 0, 0, 0, 0], 'SOCKS 5'],
  ])('a SOCKS inbound that %s', async (_, answer, words) => {
    const server = createTcpServer((socket) => socket.once('data', () => socket.write(Buffer.from(answer))));
    const way = { address: '127.0.0.1', port: await listen(server), type: 'socks' };
    expect(await probe(way, { ...targets, urls: [good] })).toMatchObject({
      ok: false,
      detail: expect.stringContaining(words),
    });
  });
});
