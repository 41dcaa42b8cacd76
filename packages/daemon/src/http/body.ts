import { ProblemError } from '@sbox/core';

export interface BodyLimits {
  readonly maxBytes: number;
  /** For all of it, however slowly it drips. */
  readonly timeoutMs: number;
}

const empty = new Uint8Array();

/** The whole body; stops reading as soon as it is longer, or takes longer, than the limits. */
export async function readBody(request: Request, { maxBytes, timeoutMs }: BodyLimits): Promise<Uint8Array> {
  if (request.method === 'GET' || request.method === 'HEAD') return empty;
  if (Number(request.headers.get('content-length') ?? 0) > maxBytes) throw tooLarge(maxBytes);
  if (!request.body) return empty;
  const reader = request.body.getReader();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    reader.cancel().catch(() => {});
  }, timeoutMs);
  try {
    const bytes = await readAll(reader, maxBytes);
    if (isLate) throw new ProblemError('request.timeout', `the body was not here after ${timeoutMs / 1000} s`);
    return bytes;
  } finally {
    clearTimeout(timer);
  }
}

async function readAll(reader: ReadableStreamDefaultReader<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(chunks);
    size += value.length;
    if (size > maxBytes) {
      await reader.cancel().catch(() => {});
      throw tooLarge(maxBytes);
    }
    chunks.push(value);
  }
}

const tooLarge = (maxBytes: number): ProblemError =>
  new ProblemError('request.too-large', `the body is longer than ${maxBytes} bytes`, {
    details: { max_bytes: maxBytes },
  });
