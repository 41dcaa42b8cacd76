import { ProblemError, type Clock } from '@sbox/core';
import type { Dispatcher } from 'undici';
import { decodeBody } from './decode-body.ts';
import { networkProblem } from './network-problem.ts';

export interface Content {
  readonly kind: 'content';
  readonly status: number;
  /** The body with its content encoding undone. */
  readonly bytes: Uint8Array;
  /** Lower-case names; cookies are left out. */
  readonly headers: Readonly<Record<string, string>>;
  readonly duration_ms: number;
}

/** Closes the connection instead of reading a body that nobody wants, however long it is. */
export const discard = (body: Dispatcher.ResponseData['body']): void => {
  body.on('error', () => {}).destroy();
};

/**
 * The answer as content.
 * @throws ProblemError `fetch.status`, `fetch.too-large`, `fetch.inflated-too-large`, `fetch.failed`
 */
export async function readContent(
  url: URL,
  answer: Dispatcher.ResponseData,
  { maxBytes, clock, startedMs }: { maxBytes: number; clock: Clock; startedMs: number },
): Promise<Content> {
  const { hostname } = url;
  const { statusCode: status } = answer;
  const headers = plainHeaders(answer.headers);
  if (status < 200 || status > 299) {
    discard(answer.body);
    throw new ProblemError('fetch.status', `${hostname} answered ${status}`, {
      details: { host: hostname, status, ...pick(headers, 'retry-after', 'retry_after') },
    });
  }
  const body = await readLimited(answer.body, maxBytes, url);
  const bytes = await decodeBody(body, headers['content-encoding'] ?? '', maxBytes).catch((error: unknown) => {
    throw (error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE'
      ? inflatedTooLarge(url, maxBytes)
      : undecodable(url);
  });
  return { kind: 'content', status, bytes, headers, duration_ms: Math.round(clock.monotonic() - startedMs) };
}

/** @throws ProblemError `fetch.too-large`, `fetch.failed` */
export async function readLimited(body: AsyncIterable<Uint8Array>, maxBytes: number, url: URL): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    // Leaving the loop destroys the stream, and with it the connection.
    for await (const chunk of body) {
      size += chunk.length;
      if (size > maxBytes) throw tooLarge(url, maxBytes);
      chunks.push(chunk);
    }
  } catch (error) {
    throw networkProblem(error, url);
  }
  return Buffer.concat(chunks);
}

const tooLarge = ({ hostname }: URL, maxBytes: number): ProblemError =>
  new ProblemError('fetch.too-large', `the answer of ${hostname} is longer than ${maxBytes} bytes`, {
    details: { host: hostname, max_bytes: maxBytes },
  });

const inflatedTooLarge = ({ hostname }: URL, maxBytes: number): ProblemError =>
  new ProblemError('fetch.inflated-too-large', `the answer of ${hostname} unpacks to more than ${maxBytes} bytes`, {
    details: { host: hostname, max_bytes: maxBytes },
  });

const undecodable = ({ hostname }: URL): ProblemError =>
  new ProblemError('fetch.failed', `the body from ${hostname} cannot be decompressed`, { details: { host: hostname } });

const plainHeaders = (headers: Dispatcher.ResponseData['headers']): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || name === 'set-cookie' ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]],
    ),
  );

const pick = (headers: Record<string, string>, name: string, as: string): Record<string, string> =>
  headers[name] === undefined ? {} : { [as]: headers[name] };
