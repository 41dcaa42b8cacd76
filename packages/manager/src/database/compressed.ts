import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';

/** Larger than anything that is stored, small enough not to end the process. */
const maxBytes = 256 * 1024 * 1024;

export const compress = (bytes: Uint8Array | string): Uint8Array => zstdCompressSync(bytes);
export const decompress = (bytes: Uint8Array): Buffer => zstdDecompressSync(bytes, { maxOutputLength: maxBytes });

export const compressJson = (value: unknown): Uint8Array => compress(JSON.stringify(value));
export const decompressJson = (bytes: Uint8Array): unknown => JSON.parse(decompress(bytes).toString('utf8')) as unknown;

/** Below it a dictionary saves less than naming it costs; above it everybody else would wait for the packing. */
const smallestPacked = 256;
export const largestPacked = 4 * 1024 * 1024;

/** Whether a dictionary is tried for content of this size. */
export const isWorthPacking = (size: number): boolean => size >= smallestPacked && size <= largestPacked;

/** With the checksum of the content in it: what is read with another dictionary is an error, never other bytes. */
export const pack = (bytes: Uint8Array, dictionary: Uint8Array): Uint8Array =>
  zstdCompressSync(bytes, { dictionary, params: { [constants.ZSTD_c_checksumFlag]: 1 } });

/** @throws Error when the dictionary is not the one it was packed with */
export const unpack = (bytes: Uint8Array, dictionary: Uint8Array): Buffer =>
  zstdDecompressSync(bytes, { dictionary, maxOutputLength: maxBytes });
