import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { createKeyPair, equalSecrets, keyIdOf, openKeyPair, readPublicKey, sha256 } from './keys.ts';

const message = Buffer.from('message');

test('what a key signs, its public part verifies, and no other', () => {
  const key = createKeyPair();
  const known = readPublicKey(key.publicKey);
  expect(known.keyid).toBe(key.keyid);
  expect(key.keyid).toBe(keyIdOf(key.publicKey));
  expect(key.keyid).toMatch(/^[0-9a-f]{16}$/);
  expect(known.verify(message, key.sign(message))).toBe(true);
  expect(known.verify(Buffer.from('other'), key.sign(message))).toBe(false);
  expect(known.verify(message, createKeyPair().sign(message))).toBe(false);
  expect(known.verify(message, new Uint8Array(3))).toBe(false);
});

test('a key is made once, in a file for its owner alone', async () => {
  const directory = await mkdtemp(path.join(tmpdir(), 'sbox-keys-'));
  const file = path.join(directory, 'key.pem');
  const made = await openKeyPair(file);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const before = await readFile(file);
  expect((await openKeyPair(file)).keyid).toBe(made.keyid);
  expect(await readFile(file)).toEqual(before);
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' });
  for (const text of ['', 'torn', rsa]) {
    await writeFile(file, text);
    await expect(openKeyPair(file)).rejects.toMatchObject({ code: 'settings.invalid' });
  }
  await rm(directory, { recursive: true });
});

test("bytes that are no ed25519 key are the sender's mistake", () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'der' });
  for (const bytes of [new Uint8Array(), new Uint8Array(44), rsa])
    expect(() => readPublicKey(bytes)).toThrow('the public key is no ed25519 key');
});

test('secrets of any length are compared', () => {
  expect([equalSecrets('a', 'a'), equalSecrets('a', 'b'), equalSecrets('a', 'aa'), equalSecrets('', '')]).toEqual([
    true,
    false,
    false,
    true,
  ]);
  expect(Buffer.from(sha256(new Uint8Array())).toString('hex')).toMatch(/^e3b0c442/);
});
