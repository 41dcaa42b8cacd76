import { isoTime, payloadTypes, sealEnvelope, toBase64 } from '@sbox/core';
import type { Manifest } from '@sbox/protocol';
import { digestOfBytes, type ManagerDouble } from './manager-double.ts';

export interface TarEntry {
  readonly name: string;
  readonly content: Uint8Array;
  /** `0` for a regular file. */
  readonly kind?: string;
}

const block = 512;

/** A ustar archive, also of what no honest archive holds. */
export function makeTar(entries: readonly TarEntry[]): Uint8Array {
  const parts = entries.flatMap(({ name, content, kind = '0' }) => [
    header(name, content.length, kind),
    padded(content),
  ]);
  return Buffer.concat([...parts, Buffer.alloc(block * 2)]);
}

const padded = (content: Uint8Array): Buffer =>
  Buffer.concat([content, Buffer.alloc((block - (content.length % block)) % block)]);

function header(name: string, size: number, kind: string): Buffer {
  const bytes = Buffer.alloc(block);
  bytes.write(name, 0, 100);
  bytes.write('0000600\0', 100);
  bytes.write('0000000\0', 108);
  bytes.write('0000000\0', 116);
  bytes.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  bytes.write('00000000000\0', 136);
  bytes.write('        ', 148);
  bytes.write(kind, 156);
  bytes.write('ustar\0', 257);
  bytes.write('00', 263);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return bytes;
}

/** A bundle as `sboxmgr server bundle` makes it. */
export function makeBundle(
  manager: Pick<ManagerDouble, 'keys' | 'trustDocument'>,
  manifest: Manifest,
  contents: readonly Uint8Array[],
  more: readonly TarEntry[] = [],
): Uint8Array {
  const { online, root } = manager.keys;
  const bundle = {
    schema: 1,
    server_id: manifest.server_id,
    server_name: 'island',
    made_at: isoTime(0),
    root_key: toBase64(root.publicKey),
    trust: manager.trustDocument().trust,
    manifest: sealEnvelope(payloadTypes.manifest, Buffer.from(JSON.stringify(manifest)), online.keyid, online.sign),
  };
  const blobs = contents.map((content) => ({ name: `blobs/sha256/${digestOfBytes(content).slice(7)}`, content }));
  return makeTar([{ name: 'bundle.json', content: Buffer.from(JSON.stringify(bundle)) }, ...blobs, ...more]);
}
