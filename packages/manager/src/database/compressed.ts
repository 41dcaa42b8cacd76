import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';

/** Larger than anything that is stored, small enough not to end the process. */
const maxBytes = 256 * 1024 * 1024;

export const compress = (bytes: Uint8Array | string): Uint8Array => zstdCompressSync(bytes);
export const decompress = (bytes: Uint8Array): Buffer => zstdDecompressSync(bytes, { maxOutputLength: maxBytes });

export const compressJson = (value: unknown): Uint8Array => compress(JSON.stringify(value));
export const decompressJson = (bytes: Uint8Array): unknown => JSON.parse(decompress(bytes).toString('utf8')) as unknown;
