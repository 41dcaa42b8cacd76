import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { ProblemError, type Clock } from '@sbox/core';
import { openKeyPair, sha256, type KeyPair } from '@sbox/daemon/keys';
import type { TlsIdentity } from '@sbox/daemon/serve';
import { openCertificates } from './certificates/certificates.ts';
import type { MetaRepository } from './database/meta-repository.ts';
import { openTrust, type TrustAnswer } from './features/agents/trust.ts';
import type { ManagerSettings } from './settings.ts';

/** Who this manager is: keys and certificates, made at the first start and kept. */
export interface Identity {
  readonly onlineKey: KeyPair;
  /** PEM, for TLS listeners. */
  readonly tls: TlsIdentity;
  /** Reads it again: files may have been replaced, and the manager's own is renewed before it ends. */
  readonly readTls: () => Promise<TlsIdentity>;
  readonly trust: TrustAnswer;
  /** SHA-256 of the root key. */
  readonly pin: Uint8Array;
  readonly caFile: string;
}

export async function openIdentity(
  { listen, names, tls: { cert_file, key_file } }: ManagerSettings,
  directory: string,
  meta: MetaRepository,
  clock: Clock,
): Promise<Identity> {
  const keys = path.join(directory, 'keys');
  await mkdir(keys, { recursive: true, mode: 0o700 });
  const rootKey = await openKeyPair(path.join(keys, 'root.pem'));
  const onlineKey = await openKeyPair(path.join(keys, 'online.pem'));

  const certificates = path.join(directory, 'certificates');
  const hosts = listen.map(({ address }) => address.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1'));
  const subjects = [...names, ...hosts.filter((host) => !host.includes('/'))];
  const openOwn = async () => await openCertificates({ directory: certificates, names: subjects, clock });
  const own = await openOwn();
  if ((cert_file === undefined) !== (key_file === undefined))
    throw new ProblemError('settings.invalid', 'tls.cert_file and tls.key_file are only good together');
  const isOwnCa = cert_file === undefined || key_file === undefined;
  const readTls = async (): Promise<TlsIdentity> =>
    isOwnCa
      ? (await openOwn()).tls
      : { cert: await readPem('tls.cert_file', cert_file), key: await readPem('tls.key_file', key_file) };
  const ca = isOwnCa ? { pem: own.caPem, sha256: own.caSha256 } : null;
  return {
    onlineKey,
    tls: await readTls(),
    readTls,
    trust: await openTrust({ meta, rootKey, onlineKey, ca, clock }),
    pin: sha256(rootKey.publicKey),
    caFile: path.join(certificates, 'ca.crt'),
  };
}

async function readPem(key: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ProblemError('settings.invalid', `${key}: ${file} cannot be read: ${code}`, { cause: error });
  }
}
