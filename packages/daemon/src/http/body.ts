import { ProblemError } from '@sbox/core';

const empty = new Uint8Array();

/** The whole body; stops reading as soon as it is longer than the limit. */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  if (request.method === 'GET' || request.method === 'HEAD') return empty;
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge(maxBytes);
  if (!request.body) return empty;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body as unknown as AsyncIterable<Uint8Array>) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const tooLarge = (maxBytes: number): ProblemError =>
  new ProblemError('request.too-large', `the body is longer than ${maxBytes} bytes`, {
    details: { max_bytes: maxBytes },
  });
