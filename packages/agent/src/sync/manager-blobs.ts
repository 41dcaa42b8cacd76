import { zstdDecompress } from 'node:zlib';
import { isProblemCode, messageOf, ProblemError } from '@sbox/core';
import type { BytesAnswer } from '@sbox/protocol';
import type { BlobSource } from '../order.ts';
import type { AgentClient } from './agent-client.ts';

/** Content from the manager, compressed on the way. The client retries by itself. */
export const createManagerBlobs = (client: Pick<AgentClient, 'blob'>): BlobSource => ({
  async fetch(digest, maxBytes, signal) {
    try {
      const answer = await client.blob({ params: { digest }, headers: { 'accept-encoding': 'zstd' } }, signal);
      return await plainBytes(answer, maxBytes);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ProblemError && error.code === 'blob.not-found') throw error;
      const detail =
        error instanceof ProblemError && isProblemCode(error.code)
          ? `${error.code}: ${error.message}`
          : messageOf(error);
      throw new ProblemError('blob.fetch-failed', `${digest}: ${detail}`, { cause: error });
    }
  },
});

async function plainBytes({ bytes, encoding }: BytesAnswer, maxBytes: number): Promise<Uint8Array> {
  if (bytes === undefined) throw new ProblemError('blob.fetch-failed', 'the manager sent nothing');
  const plain = encoding === 'zstd' ? await inflate(bytes, maxBytes) : bytes;
  if (plain.length > maxBytes) throw new ProblemError('blob.fetch-failed', `it is longer than ${maxBytes} bytes`);
  return plain;
}

/** Stops at the limit, so that a small answer cannot become a large one. */
const inflate = async (bytes: Uint8Array, maxBytes: number): Promise<Uint8Array> =>
  await new Promise((resolve, reject) => {
    zstdDecompress(bytes, { maxOutputLength: maxBytes }, (error, plain) => {
      if (error) reject(error);
      else resolve(plain);
    });
  });
