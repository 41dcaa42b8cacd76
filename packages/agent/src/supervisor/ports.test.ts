import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { createServer, type AddressInfo } from 'node:net';
import type { ListenPort } from '@sbox/engines/sing-box/run';
import { describe, expect, test } from '@jest/globals';
import { findBusyPorts, findDoubledPort, holderOf, freePorts, lastingPorts, portsNotHeld } from './ports.ts';
import { createProc } from './proc.ts';

const port = (listen_port: number, more: Partial<ListenPort> = {}): ListenPort => ({
  tag: 'in',
  path: 'inbounds[0]',
  listen: '127.0.0.1',
  listen_port,
  network: 'tcp',
  ...more,
});
const proc = createProc();

test('a port is held by the process whose socket it is', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const taken = port((server.address() as AddressInfo).port);
  const [free = 0] = await freePorts(1);
  expect(portsNotHeld(proc, process.pid, [taken, port(free)])).toEqual([port(free)]);
  expect(portsNotHeld(proc, 1, [taken])).toEqual([taken]);
  expect(await findBusyPorts(proc, [taken, port(free)], [])).toMatchObject([
    { port: taken, reason: 'EADDRINUSE', holder: expect.stringContaining(`(pid ${process.pid})`) },
  ]);
  // Our own engine gives its ports up when it takes the new configuration.
  expect(await findBusyPorts(proc, [taken], [process.pid])).toEqual([]);
  await new Promise((resolve) => server.close(resolve));
  expect(await findBusyPorts(proc, [taken], [])).toEqual([]);
});

describe('the address of a port', () => {
  const listen = async (host: string, number = 0): Promise<{ number: number; close: () => Promise<unknown> }> => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(number, host, resolve));
    const close = async (): Promise<unknown> => await new Promise((resolve) => server.close(resolve));
    return { number: (server.address() as AddressInfo).port, close };
  };

  test('counts: one that is held elsewhere is not held here', async () => {
    const { number, close } = await listen('127.0.0.1');
    expect(portsNotHeld(proc, process.pid, [port(number)])).toEqual([]);
    for (const other of ['127.0.0.2', '0.0.0.0', '::', '::1']) {
      expect(portsNotHeld(proc, process.pid, [port(number, { listen: other })])).toHaveLength(1);
    }
    // A name, or nothing: only the port says something.
    expect(
      portsNotHeld(proc, process.pid, [port(number, { listen: '' }), port(number, { listen: 'localhost' })]),
    ).toEqual([]);
    await close();
  });

  test.each(['::', '0.0.0.0'])('%s stands for all of them', async (host) => {
    const { number, close } = await listen(host);
    const wanted = ['127.0.0.1', '::', '0.0.0.0'].map((one) => port(number, { listen: one }));
    expect(portsNotHeld(proc, process.pid, wanted)).toEqual([]);
    await close();
  });

  test('a stranger beside our own engine is seen', async () => {
    const ours = await listen('127.0.0.1');
    const listening = `require('net').createServer().listen(${ours.number}, '127.0.0.2', () => console.log('up'))`;
    const stranger = spawn(process.execPath, ['-e', listening]);
    await new Promise((resolve) => stranger.stdout.once('data', resolve));
    const everywhere = port(ours.number, { listen: '0.0.0.0' });
    expect(await findBusyPorts(proc, [everywhere], [process.pid])).toMatchObject([
      { reason: 'EADDRINUSE', holder: expect.stringContaining(`(pid ${stranger.pid})`) },
    ]);
    expect(holderOf(proc, port(ours.number, { listen: '127.0.0.2' }))).toContain(`(pid ${stranger.pid})`);
    stranger.kill('SIGKILL');
    await new Promise((resolve) => stranger.once('exit', resolve));
    expect(await findBusyPorts(proc, [everywhere], [process.pid])).toEqual([]);
    await ours.close();
  });
});

test('UDP is looked at apart from TCP', async () => {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const number = socket.address().port;
  expect(await findBusyPorts(proc, [port(number, { network: 'udp' })], [])).toMatchObject([{ reason: 'EADDRINUSE' }]);
  expect(portsNotHeld(proc, process.pid, [port(number, { network: 'udp' })])).toEqual([]);
  await new Promise<void>((resolve) => socket.close(resolve));
});

test('ports that last are below those of outgoing connections', async () => {
  const found = await lastingPorts(3, Math.random);
  expect(new Set(found).size).toBe(3);
  expect(found.every((number) => number >= 20_000 && number < 30_000)).toBe(true);
});

test.each([
  ['the same address', port(1), port(1, { path: 'inbounds[1]' }), true],
  ['a wildcard', port(1), port(1, { path: 'inbounds[1]', listen: '::' }), true],
  ['TCP and UDP', port(1), port(1, { path: 'inbounds[1]', network: 'udp' }), false],
  ['two addresses', port(1), port(1, { path: 'inbounds[1]', listen: '127.0.0.2' }), false],
  ['one inbound with two rows', port(1), port(1), false],
])('doubled: %s', (_, first, second, isDoubled) => {
  expect(findDoubledPort([first, second])).toEqual(isDoubled ? [first, second] : undefined);
});
