import { promisify } from 'node:util';
import * as zlib from 'node:zlib';
import { ProblemError } from '@sbox/core';

type Decode = (bytes: Uint8Array, maxOutputLength: number) => Promise<Uint8Array>;

const gunzip = promisify(zlib.gunzip) as (bytes: Uint8Array, options: zlib.ZlibOptions) => Promise<Buffer>;
const inflate = promisify(zlib.inflate) as typeof gunzip;
const inflateRaw = promisify(zlib.inflateRaw) as typeof gunzip;
const brotli = promisify(zlib.brotliDecompress) as (bytes: Uint8Array, options: zlib.BrotliOptions) => Promise<Buffer>;
const zstd = promisify(zlib.zstdDecompress) as (bytes: Uint8Array, options: zlib.ZstdOptions) => Promise<Buffer>;

/** RFC 9659: a window of 8 MiB is all that a server may ask for; more would let a small body take much memory. */
const zstdOptions = { params: { [zlib.constants.ZSTD_d_windowLogMax]: 23 } };

const gzip: Decode = async (bytes, maxOutputLength) => await gunzip(bytes, { maxOutputLength });
const decoders: Readonly<Record<string, Decode>> = {
  gzip,
  'x-gzip': gzip,
  // Some servers send bare deflate data without the zlib header that RFC 9110 asks for.
  deflate: async (bytes, maxOutputLength) =>
    await (((bytes[0] ?? 0) & 0x0f) === 8 ? inflate : inflateRaw)(bytes, { maxOutputLength }),
  br: async (bytes, maxOutputLength) => await brotli(bytes, { maxOutputLength }),
  zstd: async (bytes, maxOutputLength) => await zstd(bytes, { maxOutputLength, ...zstdOptions }),
};

export const acceptedEncodings = 'gzip, deflate, br, zstd';
const maxLayers = 2;

/**
 * Undoes Content-Encoding. Inflating stops at `maxBytes`, so that a small body cannot become a large one.
 * @throws Error with code `ERR_BUFFER_TOO_LARGE` at the limit; any other error when the body is torn or the encoding
 * not known
 */
export async function decodeBody(bytes: Uint8Array, contentEncoding: string, maxBytes: number): Promise<Uint8Array> {
  const layers = contentEncoding
    .toLowerCase()
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '' && name !== 'identity');
  if (layers.length > maxLayers) throw new Error(`more than ${maxLayers} content encodings`);
  let body = bytes;
  for (const layer of layers.toReversed()) {
    const decode = Object.hasOwn(decoders, layer) ? decoders[layer] : undefined;
    if (!decode) throw new Error('the content encoding is not known');
    if (body.length > 0) body = await decode(body, maxBytes);
  }
  return body;
}

/** How the two begin that a server may send without saying so, for files that lie compressed on its disk. */
const unsaid: readonly (readonly [readonly number[], (bytes: Uint8Array, maxOutputLength: number) => Uint8Array])[] = [
  [[0x1f, 0x8b, 0x08], (bytes, maxOutputLength) => zlib.gunzipSync(bytes, { maxOutputLength })],
  [
    [0x28, 0xb5, 0x2f, 0xfd],
    (bytes, maxOutputLength) => zlib.zstdDecompressSync(bytes, { maxOutputLength, ...zstdOptions }),
  ],
];

const unpackerOf = (bytes: Uint8Array) => unsaid.find(([magic]) => magic.every((byte, at) => bytes[at] === byte))?.[1];

/** Whether `unpackUnsaid` has something to undo. */
export const isPacked = (bytes: Uint8Array): boolean => unpackerOf(bytes) !== undefined;

/**
 * Undoes a compression that no header named; no subscription begins like that. What is torn stays as it came.
 * @throws ProblemError `subscription.too-large` when it unpacks to more than `maxBytes`
 */
export function unpackUnsaid(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const unpack = unpackerOf(bytes);
  try {
    return unpack === undefined ? bytes : unpack(bytes, maxBytes);
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_BUFFER_TOO_LARGE') return bytes;
    throw new ProblemError('subscription.too-large', `it unpacks to more than ${maxBytes} bytes`, {
      details: { max_bytes: maxBytes },
    });
  }
}
