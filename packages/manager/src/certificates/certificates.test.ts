import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { X509Certificate } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect, createServer } from 'node:tls';
import { expect, test } from '@jest/globals';
import { createFakeClock } from '@sbox/core';
import { managerHostName, openCertificates, type Certificates } from './certificates.ts';

const dayMs = 86_400_000;

async function openDirectory() {
  const directory = await mkdtemp(path.join(tmpdir(), 'sbox-certificates-'));
  return {
    // Made by the first start, as in a fresh state directory.
    path: path.join(directory, 'tls'),
    async [Symbol.asyncDispose]() {
      await rm(directory, { recursive: true });
    },
  };
}

/** What a real TLS client says about a server with these certificates. */
async function handshake({ tls }: Certificates, client: { ca: string; servername: string }): Promise<string> {
  const server = createServer(tls, (socket) => socket.end());
  // A client that refuses the certificate hangs up in the middle of the handshake.
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const said = await new Promise<string>((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', ...client }, () => {
      socket.destroy();
      resolve('accepted');
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
  await new Promise((resolve) => server.close(resolve));
  return said;
}

test('a client that has the CA accepts the manager by its fixed name, another CA does not', async () => {
  await using one = await openDirectory();
  await using two = await openDirectory();
  const clock = createFakeClock(Date.now());
  const mine = await openCertificates({ directory: one.path, names: ['proxy.example'], clock });
  const other = await openCertificates({ directory: two.path, names: ['proxy.example'], clock });
  for (const servername of [managerHostName, 'localhost', 'proxy.example'])
    expect(await handshake(mine, { ca: mine.caPem, servername })).toBe('accepted');
  expect(await handshake(mine, { ca: mine.caPem, servername: 'other.example' })).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
  expect(await handshake(mine, { ca: other.caPem, servername: managerHostName })).toBe(
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  );
});

test('what is issued: P-256, an own CA for ten years, a server certificate for at most 825 days with every name', async () => {
  await using directory = await openDirectory();
  const clock = createFakeClock();
  const { caPem, caSha256, tls } = await openCertificates({
    directory: directory.path,
    names: ['192.0.2.7', '[2001:db8::7]', 'Manager.example', 'bücher.example'],
    clock,
  });
  const ca = new X509Certificate(caPem);
  const server = new X509Certificate(tls.cert);
  expect(caSha256).toBe(ca.fingerprint256.replaceAll(':', '').toLowerCase());
  expect(ca.ca).toBe(true);
  expect(server.ca).toBe(false);
  expect(server.verify(ca.publicKey)).toBe(true);
  expect([ca, server].map(({ publicKey }) => publicKey.asymmetricKeyDetails?.namedCurve)).toEqual(
    Array(2).fill('prime256v1'),
  );
  expect(ca.validToDate.getTime() - clock.now()).toBe(3652 * dayMs);
  expect(server.validToDate.getTime() - clock.now()).toBe(825 * dayMs);
  for (const name of ['manager.example', 'xn--bcher-kva.example', 'localhost', managerHostName])
    expect(server.checkHost(name)).toBe(name);
  for (const address of ['192.0.2.7', '2001:db8::7']) expect(server.checkIP(address)).toBeDefined();
  expect((await stat(directory.path)).mode & 0o777).toBe(0o700);
  for (const file of ['ca.pem', 'server.pem'])
    expect((await stat(path.join(directory.path, file))).mode & 0o777).toBe(0o600);
  expect(await readFile(path.join(directory.path, 'ca.crt'), 'utf8')).toBe(caPem);
});

test('a restart keeps both; other names or a near end give a new certificate from the same CA', async () => {
  await using directory = await openDirectory();
  const clock = createFakeClock();
  const reopen = async (names: string[]) => await openCertificates({ directory: directory.path, names, clock });
  const first = await reopen(['b.example', '::1', 'a.example']);
  expect(await reopen(['a.example', '0:0:0:0:0:0:0:1', 'b.example', 'localhost'])).toEqual(first);

  const renamed = await reopen(['a.example']);
  expect(renamed.caSha256).toBe(first.caSha256);
  expect(renamed.tls.cert).not.toBe(first.tls.cert);
  expect(new X509Certificate(renamed.tls.cert).checkHost('b.example')).toBeUndefined();

  await clock.advance(794 * dayMs);
  expect((await reopen(['a.example'])).tls).toEqual(renamed.tls);
  await clock.advance(2 * dayMs);
  const renewed = await reopen(['a.example']);
  expect(renewed.caSha256).toBe(first.caSha256);
  expect(new X509Certificate(renewed.tls.cert).validToDate.getTime()).toBe(clock.now() + 825 * dayMs);
});

test('a certificate of another CA is not used', async () => {
  await using directory = await openDirectory();
  const clock = createFakeClock();
  const reopen = async () => await openCertificates({ directory: directory.path, names: [], clock });
  await reopen();
  await rm(path.join(directory.path, 'ca.pem'));
  const { caPem, tls } = await reopen();
  expect(new X509Certificate(tls.cert).verify(new X509Certificate(caPem).publicKey)).toBe(true);
});

test('a damaged file is told, not replaced: agents have pinned that CA', async () => {
  await using directory = await openDirectory();
  const clock = createFakeClock();
  await openCertificates({ directory: directory.path, names: [], clock });
  await writeFile(path.join(directory.path, 'ca.pem'), 'torn');
  await expect(openCertificates({ directory: directory.path, names: [], clock })).rejects.toMatchObject({
    code: 'settings.invalid',
  });
});
