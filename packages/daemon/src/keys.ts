import {
  hash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes as nodeRandomBytes,
  sign as nodeSign,
  timingSafeEqual,
  verify as nodeVerify,
  type KeyObject,
} from 'node:crypto';
import { ProblemError, hex, type RandomBytes, type Sha256, type Sha256Text } from '@sbox/core';
import { readIfExists, writeAtomic } from './files.ts';

/** Through a text, because an object for each hash, or `hash` with a buffer of its own, takes three times as long. */
export const sha256: Sha256 = (bytes) => Buffer.from(hash('sha256', bytes, 'binary'), 'binary');
export const sha256Text: Sha256Text = (text) => hash('sha256', text, 'binary');
export const randomBytes: RandomBytes = (count) => nodeRandomBytes(count);

/** An ed25519 key that can sign. The private part never leaves this object. */
export interface KeyPair {
  /** First 16 hex digits of the SHA-256 of the public key. */
  readonly keyid: string;
  /** SPKI, DER. */
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
}

export interface PublicKey {
  readonly keyid: string;
  verify(message: Uint8Array, signature: Uint8Array): boolean;
}

export const keyIdOf = (publicKey: Uint8Array): string => hex(sha256(publicKey)).slice(0, 16);

export function createKeyPair(): KeyPair {
  return fromPrivateKey(generateKeyPairSync('ed25519').privateKey);
}

/**
 * Reads a key from a PEM file, or makes one there, mode 0600, when the file does not exist.
 * @throws ProblemError `settings.invalid` when the file holds something else
 */
export async function openKeyPair(file: string): Promise<KeyPair> {
  const pem = await readIfExists(file);
  if (pem) return fromPrivateKey(parsePem(pem, file));
  const { privateKey } = generateKeyPairSync('ed25519');
  await writeAtomic(file, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return fromPrivateKey(privateKey);
}

function parsePem(pem: Buffer, file: string): KeyObject {
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Falls through to the one problem that both cases are.
  }
  throw new ProblemError('settings.invalid', `${file} does not hold an ed25519 key`, {
    fix: 'Restore it from a backup.',
  });
}

function fromPrivateKey(privateKey: KeyObject): KeyPair {
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  return { keyid: keyIdOf(publicKey), publicKey, sign: (message) => nodeSign(null, message, privateKey) };
}

/** @throws ProblemError `request.invalid` when the bytes are no ed25519 key. */
export function readPublicKey(spki: Uint8Array): PublicKey {
  const key = parseSpki(spki);
  return { keyid: keyIdOf(spki), verify: (message, signature) => nodeVerify(null, message, key, signature) };
}

function parseSpki(spki: Uint8Array): KeyObject {
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Falls through to the one problem that both cases are.
  }
  throw new ProblemError('request.invalid', 'the public key is no ed25519 key');
}

/** Compares two secrets of any length without telling by its duration where they differ. */
export const equalSecrets = (a: string, b: string): boolean =>
  timingSafeEqual(sha256(Buffer.from(a)), sha256(Buffer.from(b)));
