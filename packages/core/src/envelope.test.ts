import { describe, expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { crc32 } from './crc32.ts';
import { fromBase64, openEnvelope, preAuthEncoding, sealEnvelope, toBase64, type Envelope } from './envelope.ts';

const encoder = new TextEncoder();
/** Not a signature, but it depends on every byte, which is all that these tests need. */
const sign = (message: Uint8Array): Uint8Array => encoder.encode(String(crc32(message)));
const keys = {
  known: (keyid: string) => keyid === 'k1',
  verify: (_: string, message: Uint8Array, signature: Uint8Array) => toBase64(sign(message)) === toBase64(signature),
};
const type = 'application/vnd.sbox.manifest+json';

test('the signed bytes are those of DSSE', () => {
  // The example of https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
  const message = preAuthEncoding('http://example.com/HelloWorld', encoder.encode('hello world'));
  expect(new TextDecoder().decode(message)).toBe('DSSEv1 29 http://example.com/HelloWorld 11 hello world');
  expect(new TextDecoder().decode(preAuthEncoding('é', new Uint8Array()))).toBe('DSSEv1 2 é 0 ');
});

test('a sealed body comes back byte for byte', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (body) => {
      expect(openEnvelope(sealEnvelope(type, body, 'k1', sign), type, keys)).toEqual({
        ok: true,
        body: new Uint8Array(body),
      });
    }),
  );
});

describe('an envelope is refused', () => {
  const sealed = sealEnvelope(type, encoder.encode('{}'), 'k1', sign);
  test.each<[string, Envelope, string]>([
    ['of another type', { ...sealed, payloadType: 'text/plain' }, 'type'],
    [
      'of an unknown key',
      { ...sealed, signatures: [{ keyid: 'k2', sig: sealed.signatures[0]?.sig ?? '' }] },
      'unknown-key',
    ],
    ['without signatures', { ...sealed, signatures: [] }, 'unknown-key'],
    ['with another payload', { ...sealed, payload: toBase64(encoder.encode('{ }')) }, 'signature'],
    ['with a payload that is no base64', { ...sealed, payload: '{}' }, 'signature'],
    ['with a signature that is no base64', { ...sealed, signatures: [{ keyid: 'k1', sig: '?' }] }, 'signature'],
  ])('%s', (_, envelope, reason) => {
    expect(openEnvelope(envelope, type, keys)).toEqual({ ok: false, reason });
  });

  test('but one good signature of a known key is enough', () => {
    const extra = {
      ...sealed,
      signatures: [{ keyid: 'k2', sig: 'AAAA' }, { keyid: 'k1', sig: 'AAAA' }, ...sealed.signatures],
    };
    expect(openEnvelope(extra, type, keys)).toMatchObject({ ok: true });
  });
});

describe('base64', () => {
  test('is that of RFC 4648, and long bytes do not break the stack', () => {
    expect(['', 'f', 'fo', 'foo', 'foobar'].map((text) => toBase64(encoder.encode(text)))).toEqual([
      '',
      'Zg==',
      'Zm8=',
      'Zm9v',
      'Zm9vYmFy',
    ]);
    const long = new Uint8Array(3_000_001).fill(200);
    expect(Buffer.compare(fromBase64(toBase64(long)) ?? new Uint8Array(), long)).toBe(0);
  });

  test.each(['Zg', 'Zg=', 'Zm 9v', 'Zm9v\n', 'Zm-_', 'Zg==Zg==', '====', 'A===', 'é'])('%j is not base64', (text) => {
    expect(fromBase64(text)).toBeUndefined();
  });
});
