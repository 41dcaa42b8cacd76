import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parseAddress, startListener, type ListenerOptions } from './listener.ts';

const fetch = () => new Response('here');

const ask = async (options: { socketPath?: string; port?: number }): Promise<string> =>
  await new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', agent: false, ...options }, (response) => {
      response.on('data', (chunk: Buffer) => resolve(chunk.toString()));
    })
      .on('error', reject)
      .end();
  });

test('says where it listens, and answers there', async () => {
  await using listener = await startListener({ address: '127.0.0.1:0', fetch });
  expect(listener.url).toMatch(/^http:\/\/127\.0\.0\.1:[1-9]\d*$/);
  expect(await ask({ port: Number(listener.address.split(':')[1]) })).toBe('here');
});

test('a taken port is a problem that names it', async () => {
  await using listener = await startListener({ address: '127.0.0.1:0', fetch });
  await expect(startListener({ address: listener.address, fetch })).rejects.toMatchObject({
    code: 'port.in-use',
    details: { address: listener.address },
  });
});

test('a Unix socket works, and one that a dead program left behind is no obstacle', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'sbox-socket-'));
  const address = path.join(directory, 'api.sock');
  await (await startListener({ address, fetch }))[Symbol.asyncDispose]();
  await using listener = await startListener({ address, fetch });
  expect(listener.url).toBe(`unix:${address}`);
  expect(await ask({ socketPath: address })).toBe('here');
  await rm(directory, { recursive: true });
});

test('what cannot be listened on, or is not ours to remove, is a problem', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'sbox-socket-'));
  const codeOf = async (options: Omit<ListenerOptions, 'fetch'>) =>
    await startListener({ ...options, fetch }).then(
      () => 'none',
      (error: unknown) => (error as { code?: string }).code,
    );
  const file = path.join(directory, 'file');
  await writeFile(file, 'kept');
  expect(await codeOf({ address: file })).toBe('settings.invalid');
  expect(await readFile(file, 'utf8')).toBe('kept');
  expect(await codeOf({ address: path.join(directory, 'none/api.sock') })).toBe('settings.invalid');
  expect(await codeOf({ address: '192.0.2.1:0' })).toBe('settings.invalid');
  expect(await codeOf({ address: '127.0.0.1:0', tls: { key: 'x', cert: 'y' } })).toBe('settings.invalid');
  const address = path.join(directory, 'api.sock');
  await using _first = await startListener({ address, fetch });
  expect(await codeOf({ address })).toBe('port.in-use');
  expect(await ask({ socketPath: address })).toBe('here');
  await rm(directory, { recursive: true });
});

test('dispose ends connections that nobody closes, upgraded ones too', async () => {
  const upgraded = Promise.withResolvers<void>();
  const listener = await startListener({
    address: '127.0.0.1:0',
    fetch,
    upgrade: (_, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n');
      upgraded.resolve();
    },
  });
  const client = connect(Number(listener.address.split(':')[1]), '127.0.0.1');
  client.on('error', () => {});
  client.write('GET / HTTP/1.1\r\nhost: a\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n');
  await upgraded.promise;
  const closed = new Promise((resolve) => client.once('close', resolve));
  client.resume();
  await listener[Symbol.asyncDispose]();
  await closed;
});

describe('addresses', () => {
  test.each([
    ['127.0.0.1:80', { host: '127.0.0.1', port: 80 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
    ['[::1]:65535', { host: '::1', port: 65_535 }],
    ['/run/a.sock', { file: '/run/a.sock' }],
    ['./a.sock', { file: './a.sock' }],
  ])('%s', (text, parsed) => {
    expect(parseAddress(text)).toEqual(parsed);
  });

  test.each(['', '80', ':80', 'host', 'host:', 'host:65536', 'host:-1', '::1:80', 'a:b:80', 'host:80/x'])(
    '%j is none',
    (text) => {
      expect(() => parseAddress(text)).toThrow('is no host:port');
    },
  );
});
