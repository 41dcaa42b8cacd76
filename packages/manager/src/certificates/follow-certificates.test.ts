import { mkdtemp, rm } from 'node:fs/promises';
import { connect as connectPlain } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { expect, test } from '@jest/globals';
import { createFakeClock, ProblemError } from '@sbox/core';
import { silentLogger } from '@sbox/daemon/log';
import { startListener, type TlsIdentity } from '@sbox/daemon/serve';
import { openCertificates } from './certificates.ts';
import { createCertificateLook } from './follow-certificates.ts';

/** Where certificates are made by name. */
async function openDirectory() {
  const directory = await mkdtemp(path.join(tmpdir(), 'sbox-follow-'));
  const clock = createFakeClock(Date.now());
  return {
    make: async (name: string): Promise<TlsIdentity> =>
      (await openCertificates({ directory: path.join(directory, name), names: ['localhost'], clock })).tls,
    [Symbol.asyncDispose]: async () => await rm(directory, { recursive: true }),
  };
}

/** A connection whose handshake is done. */
const dial = async (port: number | undefined): Promise<TLSSocket> =>
  await new Promise((resolve, reject) => {
    const socket = connect({ port: port ?? 0, host: '127.0.0.1', rejectUnauthorized: false }, () => resolve(socket));
    socket.on('error', reject);
  });

const shownOn = async (port: number | undefined): Promise<string> => {
  const socket = await dial(port);
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
};

test('who speaks no TLS to a TLS listener is hung up on, and so is who never ends its handshake', async () => {
  await using directory = await openDirectory();
  await using listener = await startListener({
    address: '127.0.0.1:0',
    tls: await directory.make('first'),
    fetch: () => new Response('here'),
    headersTimeoutMs: 50,
  });
  const closed = async (sent: string): Promise<string> =>
    await new Promise((resolve) => {
      let received = '';
      const socket = connectPlain(listener.port ?? 0, '127.0.0.1', () => socket.write(sent));
      socket.on('data', (chunk: Buffer) => {
        received += chunk.toString('latin1');
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve(received));
    });
  expect(await closed('GET / HTTP/1.1\r\nHost: a\r\n\r\n')).not.toContain('HTTP/1.1');
  expect(await closed('')).toBe('');
});

test('a certificate that changed is shown to new connections; one that cannot be used leaves the old one', async () => {
  await using directory = await openDirectory();
  const [first, second] = [await directory.make('first'), await directory.make('second')];
  let onDisk = first;
  await using listener = await startListener({ address: '127.0.0.1:0', tls: first, fetch: () => new Response('here') });
  const look = createCertificateLook({
    tls: first,
    readTls: async () => await Promise.resolve(onDisk),
    listeners: [listener, { useTls: undefined }],
    log: silentLogger,
  });
  const before = await shownOn(listener.port);
  await look();
  expect(await shownOn(listener.port)).toBe(before);

  // One of the two files is written, the other is not yet.
  onDisk = { key: first.key, cert: second.cert };
  await expect(look()).rejects.toBeInstanceOf(ProblemError);
  expect(await shownOn(listener.port)).toBe(before);

  const held = await dial(listener.port);
  onDisk = second;
  await look();
  const after = await shownOn(listener.port);
  expect(after).not.toBe(before);
  const answer = new Promise<string>((resolve) => {
    held.once('data', (chunk: Buffer) => resolve(chunk.toString()));
  });
  held.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  expect(await answer).toContain('200 OK');
  held.destroy();
});
