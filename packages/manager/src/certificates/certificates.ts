import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { hex, type Clock } from '@sbox/core';
import { readIfExists, writeAtomic } from '@sbox/daemon/files';
import { sha256 } from '@sbox/daemon/keys';
import { issueCa, issueServer, readIdentity, writeIdentity, type Identity } from './issue.ts';
import { canonicalNames, coversNames } from './subject-names.ts';

export interface Certificates {
  readonly caPem: string;
  /** Hex, over the DER of the CA; what the trust document pins. */
  readonly caSha256: string;
  /** PEM, for a TLS listener. */
  readonly tls: { readonly key: string; readonly cert: string };
}

export interface CertificatesOptions {
  readonly directory: string;
  /** DNS names and IP addresses under which the manager is reached. */
  readonly names: readonly string[];
  readonly clock: Clock;
}

/** A name that every manager has, so that an agent can check the certificate whatever address it uses. */
export const managerHostName = 'manager.sbox.internal';

const dayMs = 86_400_000;
const renewBeforeMs = 30 * dayMs;

/**
 * The manager's own CA and certificate: made at the first start, kept in `ca.pem` and `server.pem` (key and certificate
 * together, mode 0600). The certificate is issued again when the names changed or less than 30 days are left; the CA
 * stays, because agents have pinned it. `ca.crt` holds the CA's certificate alone, for clients.
 */
export async function openCertificates({ directory, names, clock }: CertificatesOptions): Promise<Certificates> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const ca = await openIdentity(path.join(directory, 'ca.pem'), {
    isGood: () => true,
    issue: async () => await issueCa(clock.now()),
  });
  const wanted = canonicalNames([...names, managerHostName, 'localhost']);
  const server = await openIdentity(path.join(directory, 'server.pem'), {
    isGood: (known) =>
      known.certificate.notAfter.getTime() - clock.now() > renewBeforeMs &&
      known.certificate.issuer === ca.certificate.subject &&
      coversNames(known.certificate, wanted),
    issue: async () => await issueServer(ca, wanted, clock.now()),
  });
  const caPem = `${ca.certificate.toString('pem')}\n`;
  await writeIfChanged(path.join(directory, 'ca.crt'), caPem);
  return {
    caPem,
    caSha256: hex(sha256(new Uint8Array(ca.certificate.rawData))),
    tls: { key: server.keyPem, cert: `${server.certificate.toString('pem')}\n` },
  };
}

/** Key and certificate are one file, so that a crash between two writes cannot part them. */
async function openIdentity(
  file: string,
  { isGood, issue }: { isGood: (known: Identity) => boolean; issue: () => Promise<Identity> },
): Promise<Identity> {
  const pem = await readIfExists(file);
  const known = pem && (await readIdentity(pem.toString('utf8'), file));
  if (known && isGood(known)) return known;
  const made = await issue();
  await writeAtomic(file, writeIdentity(made));
  return made;
}

async function writeIfChanged(file: string, text: string): Promise<void> {
  if ((await readIfExists(file))?.toString('utf8') !== text) await writeAtomic(file, text, 0o644);
}
