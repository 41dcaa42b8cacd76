import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { ProblemError } from '@sbox/core';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
  cryptoProvider,
  type JsonGeneralName,
} from '@peculiar/x509';

/** A private key with the certificate over it. */
export interface Identity {
  readonly keyPem: string;
  readonly certificate: X509Certificate;
}

const dayMs = 86_400_000;
const caLifetimeMs = 3652 * dayMs;
/** The longest that Apple's platforms accept from a private CA. */
const serverLifetimeMs = 825 * dayMs;
/** Servers with a clock that is behind must be able to join too. */
const backdateMs = dayMs;
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

cryptoProvider.set(webcrypto);

/** A CA that signs server certificates and nothing below them. */
export async function issueCa(nowMs: number): Promise<Identity> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=sbox manager CA ${Buffer.from(webcrypto.getRandomValues(new Uint8Array(4))).toString('hex')}`,
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(nowMs - backdateMs),
    notAfter: new Date(nowMs + caLifetimeMs),
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return { keyPem: await exportKey(keys.privateKey), certificate };
}

/** A certificate for the manager's listeners. */
export async function issueServer(ca: Identity, names: readonly JsonGeneralName[], nowMs: number): Promise<Identity> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.create({
    subject: 'CN=sbox manager',
    issuer: ca.certificate.subject,
    publicKey: keys.publicKey,
    signingKey: await importKey(ca.keyPem),
    signingAlgorithm: algorithm,
    notBefore: new Date(nowMs - backdateMs),
    notAfter: new Date(Math.min(nowMs + serverLifetimeMs, ca.certificate.notAfter.getTime())),
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension([...names]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(ca.certificate.publicKey),
    ],
  });
  return { keyPem: await exportKey(keys.privateKey), certificate };
}

export const writeIdentity = ({ keyPem, certificate }: Identity): string => `${keyPem}${certificate.toString('pem')}\n`;

/** @throws ProblemError `settings.invalid` when the file holds no key and certificate */
export async function readIdentity(pem: string, file: string): Promise<Identity> {
  try {
    const [key, certificate] = PemConverter.decode(pem);
    if (!key || !certificate) throw new Error('it needs a key and a certificate');
    const keyPem = printKey(key);
    await importKey(keyPem);
    return { keyPem, certificate: new X509Certificate(certificate) };
  } catch (error) {
    throw new ProblemError('settings.invalid', `${file} does not hold a P-256 key and its certificate`, {
      fix: 'Restore it from a backup; a new CA makes every server join again.',
      cause: error,
    });
  }
}

const importKey = async (keyPem: string): Promise<webcrypto.CryptoKey> =>
  await webcrypto.subtle.importKey('pkcs8', PemConverter.decodeFirst(keyPem), algorithm, false, ['sign']);

const exportKey = async (key: webcrypto.CryptoKey): Promise<string> =>
  printKey(await webcrypto.subtle.exportKey('pkcs8', key));

const printKey = (pkcs8: ArrayBuffer): string => `${PemConverter.encode(pkcs8, 'PRIVATE KEY')}\n`;
