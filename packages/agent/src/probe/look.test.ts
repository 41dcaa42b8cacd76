import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemClock } from '@sbox/core';
import type { ExtraProbe } from '@sbox/protocol';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createProc } from '../supervisor/proc.ts';
import { addressIn, createLook } from './look.ts';
import { createProbe } from './probe.ts';
import type { ProbeWay } from './request.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'sbox-look-'));
const servers: Server[] = [];
const { signal } = new AbortController();
const program = path.join(directory, 'is-well');
const look = createLook({
  probe: createProbe(systemClock),
  spawn,
  kill: (pid, name) => void process.kill(pid, name),
  allowed: [program],
});
const at = async (probe: Partial<ExtraProbe> & { type: string }, way: ProbeWay | null = null) =>
  await look({ id: 'p', timeout_ms: 400, ...probe } as ExtraProbe, way, signal);

async function listen(answer: RequestListener, server = createServer(answer)): Promise<string> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

let [host, silent] = ['', ''];
let way: ProbeWay;

/** A server that tells who asks, and a proxy that asks from another address. */
beforeAll(async () => {
  const pages: Record<string, string> = { '/status': 'all is well\n', '/nobody': 'no address here' };
  host = await listen((request, response) => {
    if (request.url === '/endless') response.write('x'.repeat(200_000));
    else response.end(pages[request.url ?? ''] ?? JSON.stringify({ ip: request.socket.remoteAddress }));
  });
  silent = await listen(() => {});
  const inbound = createServer().on('connect', (_, socket) => {
    const out = connect({ host: '127.0.0.1', port: Number(host.split(':')[1]), localAddress: '127.0.0.2' }, () => {
      socket.write('HTTP/1.1 200 ok\r\n\r\n');
      socket.pipe(out).pipe(socket);
    });
    out.on('error', () => socket.destroy());
    socket.on('error', () => out.destroy());
  });
  const [address = '', port] = (await listen(() => {}, inbound)).split(':');
  way = { address, port: Number(port), type: 'mixed' };
});

afterAll(async () => {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
  rmSync(directory, { recursive: true });
});

describe('tcp', () => {
  test('is good when the port takes a connection', async () => {
    expect(await at({ type: 'tcp', address: host })).toEqual({ ok: true, detail: `${host} takes connections` });
    const server = createTcpServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    await new Promise((resolve) => server.close(resolve));
    expect(await at({ type: 'tcp', address })).toMatchObject({
      ok: false,
      detail: expect.stringContaining('ECONNREFUSED'),
    });
  });

  test('says what is no address', async () => {
    expect(await at({ type: 'tcp', address: 'example.org' })).toEqual({
      ok: false,
      detail: 'example.org is no HOST:PORT',
    });
    expect(await at({ type: 'tcp', address: '[::1]:70000' })).toMatchObject({ ok: false });
  });
});

describe('http', () => {
  const url = (part: string): string => `http://${host}${part}`;

  test('wants the status and the text', async () => {
    expect(await at({ type: 'http', url: url('/status') })).toMatchObject({ ok: true });
    expect(await at({ type: 'http', url: url('/status'), expect: [404] })).toMatchObject({ ok: false });
    expect(await at({ type: 'http', url: url('/status'), contains: 'is well' })).toMatchObject({ ok: true });
    expect(await at({ type: 'http', url: url('/status'), contains: 'on fire' })).toMatchObject({
      ok: false,
      detail: expect.stringContaining('without "on fire"'),
    });
  });

  test('reads the beginning of a body that never ends', async () => {
    expect(await at({ type: 'http', url: url('/endless'), contains: 'xxx' })).toMatchObject({ ok: true });
    expect(await at({ type: 'http', url: url('/endless'), contains: 'yyy' })).toMatchObject({ ok: false });
  });

  test('gives up in time', async () => {
    expect(await at({ type: 'http', url: `http://${silent}/` })).toEqual({ ok: false, detail: 'no answer in 400 ms' });
    expect(await at({ type: 'http', url: 'nonsense' })).toMatchObject({ ok: false });
  });
});

describe('exec', () => {
  const write = (script: string): void => {
    writeFileSync(program, `#!/bin/sh\n${script}\n`);
    chmodSync(program, 0o755);
  };

  test('is good when the program ends with 0, and sees nothing of our environment', async () => {
    write('echo "$1 ${HOME-none}"');
    expect(await at({ type: 'exec', command: [program, 'a b;c'] })).toEqual({
      ok: true,
      detail: `${program} ended with 0: a b;c none`,
    });
    write('echo broken >&2; exit 4');
    expect(await at({ type: 'exec', command: [program] })).toEqual({
      ok: false,
      detail: `${program} ended with 4: broken`,
    });
  });

  test('runs nothing that the settings of this server do not name', async () => {
    const file = path.join(directory, 'made');
    const found = await at({ type: 'exec', command: ['/bin/touch', file] });
    expect(found).toEqual({ ok: null, detail: expect.stringContaining('apply.exec_probes') });
    expect(existsSync(file)).toBe(false);
  });

  test('is killed at its limit with what it started', async () => {
    const file = path.join(directory, 'pids');
    write(`sleep 33 & echo $! > ${file}; echo $$ >> ${file}; wait`);
    expect(await at({ type: 'exec', command: [program], timeout_ms: 200 })).toEqual({
      ok: false,
      detail: 'no answer in 200 ms',
    });
    const proc = createProc();
    for (const pid of readFileSync(file, 'utf8').trim().split('\n')) {
      while (proc.identify(Number(pid)) !== undefined) await systemClock.sleep(2);
    }
  });

  test('waits for nobody that holds its output open', async () => {
    write('sleep 34 & exit 0');
    expect(await at({ type: 'exec', command: [program] })).toMatchObject({ ok: true });
  });
});

describe('through the engine', () => {
  test('a request has to come through', async () => {
    const urls = [`http://${host}/status`];
    expect(await at({ type: 'proxy', urls }, way)).toMatchObject({ ok: true });
    expect(await at({ type: 'proxy', urls, expect: [404] }, way)).toMatchObject({ ok: false });
    expect(await at({ type: 'proxy', urls })).toMatchObject({ ok: null });
  });

  test('the exit is one of those that were named', async () => {
    const url = 'http://anywhere.test/ip';
    expect(await at({ type: 'egress', url, addresses: ['192.0.2.1', '127.0.0.2'] }, way)).toEqual({
      ok: true,
      detail: 'leaves as 127.0.0.2',
    });
    expect(await at({ type: 'egress', url, addresses: ['192.0.2.1'] }, way)).toEqual({
      ok: false,
      detail: 'leaves as 127.0.0.2, not as 192.0.2.1',
    });
  });

  test('the exit is not the address of this machine', async () => {
    const url = `http://${host}/ip`;
    expect(await at({ type: 'egress', url }, way)).toEqual({ ok: true, detail: 'leaves as 127.0.0.2' });
    const leak = createServer().on('connect', (_, socket) => {
      const out = connect({ host: '127.0.0.1', port: Number(host.split(':')[1]) }, () => {
        socket.write('HTTP/1.1 200 ok\r\n\r\n');
        socket.pipe(out).pipe(socket);
      });
    });
    const [address = '', port] = (await listen(() => {}, leak)).split(':');
    expect(await at({ type: 'egress', url }, { address, port: Number(port), type: 'mixed' })).toEqual({
      ok: false,
      detail: 'leaves as 127.0.0.1, as without the engine',
    });
    expect(await at({ type: 'egress', url: 'http://127.0.0.1:1/' }, way)).toEqual({
      ok: true,
      detail: 'leaves as 127.0.0.2; directly nothing answers',
    });
    expect(await at({ type: 'egress', url: `http://${host}/nobody` }, way)).toMatchObject({ ok: false });
  });
});

test('a look that is given up blames nobody', async () => {
  const stop = new AbortController();
  const found = look({ id: 'p', type: 'http', url: `http://${silent}/` }, null, stop.signal);
  stop.abort(new Error('stopping'));
  expect(await found).toEqual({ ok: null, detail: 'given up' });
});

test.each([
  ['203.0.113.7\n', '203.0.113.7'],
  ['{"ip":"203.0.113.7","country":"DE"}', '203.0.113.7'],
  ['fl=1\nip=2001:DB8:0:0::1\nts=1.5', '2001:db8::1'],
  ['999.1.1.1', undefined],
  ['', undefined],
])('the address in %j', (text, address) => {
  expect(addressIn(text)).toBe(address);
});
