import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { createProc, parseSockets, parseStat } from './proc.ts';

test('the name of a program may hold brackets and blanks', () => {
  const fields = ['S', ...Array.from({ length: 18 }, (_, index) => String(index)), '4242', '0'].join(' ');
  expect(parseStat(`12 (a) b (c)) ${fields}`)).toMatchObject({
    state: 'S',
    parent: 0,
    group: 1,
    session: 2,
    starttime: '4242',
  });
  expect(parseStat('')).toBeUndefined();
});

const row = (local: string, state: string, inode: string): string =>
  `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000  1000        0 ${inode} 1 0 100 0 0 10 0`;

test('only listening sockets count', () => {
  const text = ['  sl  local_address', row('0100007F:1F90', '0A', '11'), row('0100007F:1F91', '01', '12'), ''].join(
    '\n',
  );
  expect(parseSockets(text, 'tcp')).toEqual([{ network: 'tcp', port: 8080, address: '0100007F', inode: '11' }]);
  expect(parseSockets(text.replace(' 0A ', ' 07 '), 'udp6')).toMatchObject([{ network: 'udp', port: 8080 }]);
});

test('a process is itself, and not the one before with the same pid', () => {
  const proc = createProc();
  const self = proc.identify(process.pid);
  expect(self).toMatchObject({ pid: process.pid, boot_id: expect.stringMatching(/^[0-9a-f-]{36}$/) });
  if (self === undefined) throw new Error('no /proc');
  expect(proc.isAlive(self)).toBe(true);
  expect(proc.isAlive({ ...self, starttime: '1' })).toBe(false);
  expect(proc.isAlive({ ...self, boot_id: 'another' })).toBe(false);
  expect(proc.rssBytes(process.pid)).toBeGreaterThan(1_000_000);
  expect(proc.rssBytes(2 ** 30)).toBeNull();
});

test('what a process has open, and how much it may', async () => {
  const proc = createProc();
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const inode = proc.listeners().find((socket) => socket.port === port)?.inode ?? '';
  expect(proc.socketsOf(process.pid).has(inode)).toBe(true);
  expect(proc.socketsOf(process.pid, new Set([inode])).has(inode)).toBe(true);
  const listed = readdirSync('/proc/self/fd').length;
  expect(Math.abs((proc.openFiles(process.pid) ?? 0) - listed)).toBeLessThan(5);
  expect(proc.fileLimit(process.pid)).toBeGreaterThan(100);
  expect([proc.openFiles(2 ** 30), proc.fileLimit(2 ** 30), proc.kinOf(2 ** 30)]).toEqual([null, null, undefined]);
  expect(proc.kinOf(process.pid)).toMatchObject({ parent: process.ppid });
  await new Promise((resolve) => server.close(resolve));
});

test('every listening socket is found, however long the table is', () => {
  const root = mkdtempSync(path.join(tmpdir(), 'sbox-proc-'));
  mkdirSync(path.join(root, 'net'));
  const listening = Array.from({ length: 500 }, (_, index) => row('0100007F:1F90', '0A', String(index)));
  const connected = Array.from({ length: 5000 }, () => row('0100007F:1F90', '01', '9'));
  writeFileSync(
    path.join(root, 'net/tcp'),
    ['  sl  local_address rem_address   st', ...listening, ...connected, ''].join('\n'),
  );
  expect(createProc(root).listeners()).toHaveLength(500);
  rmSync(root, { recursive: true });
});
