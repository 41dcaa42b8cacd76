import { zstdDecompress } from 'node:zlib';
import { isProblemCode, messageOf, ProblemError } from '@sbox/core';
import type { BytesAnswer } from '@sbox/protocol';
import type { BlobSource, ContentStream } from '../order.ts';
import type { AgentClient } from './agent-client.ts';

/** What one question brings: little enough to be asked again on a link that breaks often. */
const pieceBytes = 1024 * 1024;

/** Content from the manager: small content compressed and whole, large content piece by piece. The client retries by itself. */
export const createManagerBlobs = (client: Pick<AgentClient, 'blob'>): BlobSource => ({
  fetch: async (digest, maxBytes, signal) =>
    await asked(digest, signal, async () => {
      const answer = await client.blob({ params: { digest }, headers: { 'accept-encoding': 'zstd' } }, signal);
      return await plainBytes(answer, maxBytes);
    }),
  async open(digest, offset, signal): Promise<ContentStream> {
    const first = await askPiece(client, digest, offset, signal);
    return {
      offset: first.offset,
      chunks: piecesFrom(first, async (at) => await askPiece(client, digest, at, signal)),
    };
  },
});

async function asked<T>(digest: string, signal: AbortSignal, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ProblemError && error.code === 'blob.not-found') throw error;
    const detail =
      error instanceof ProblemError && isProblemCode(error.code) ? `${error.code}: ${error.message}` : messageOf(error);
    throw new ProblemError('blob.fetch-failed', `${digest}: ${detail}`, { cause: error });
  }
}

interface Piece {
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** Of the whole content. */
  readonly total: number;
}

async function* piecesFrom(first: Piece, ask: (at: number) => Promise<Piece>): AsyncIterable<Uint8Array> {
  let piece = first;
  for (;;) {
    yield piece.bytes;
    const at = piece.offset + piece.bytes.length;
    if (at >= piece.total) return;
    piece = await ask(at);
    // A giver that begins anew has something else: what came before must not be joined with it.
    if (piece.offset !== at) throw new ProblemError('blob.fetch-failed', `asked for byte ${at}, got ${piece.offset}`);
  }
}

/** The content's own name is its validator (RFC 9110, 13.1.5): a giver that holds another one answers with all of it. */
const askPiece = async (
  client: Pick<AgentClient, 'blob'>,
  digest: string,
  offset: number,
  signal: AbortSignal,
): Promise<Piece> =>
  await asked(digest, signal, async () => {
    const headers = {
      'accept-encoding': 'identity',
      range: `bytes=${offset}-${offset + pieceBytes - 1}`,
      'if-range': `"${digest}"`,
    };
    const { bytes, range, etag } = await client.blob({ params: { digest }, headers }, signal);
    if (bytes === undefined) throw new ProblemError('blob.fetch-failed', 'the manager sent nothing');
    if (range === undefined) return { offset: 0, bytes, total: bytes.length };
    const [, from, last, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(range) ?? [];
    const isWhole = Number(from) === offset && Number(last) - offset + 1 === bytes.length && bytes.length > 0;
    if (!isWhole || etag !== `"${digest}"`) {
      throw new ProblemError('blob.fetch-failed', `the piece does not fit: ${range}, ${bytes.length} bytes, ${etag}`);
    }
    return { offset, bytes, total: Number(total) };
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
