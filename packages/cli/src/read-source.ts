import path from 'node:path';
import { messageOf, ProblemError, redactText } from '@sbox/core';
import type { Host } from './command.ts';
import { readBytes } from './read-file.ts';
import { version } from './version.ts';

const maxBytes = 16 * 1024 * 1024;
const timeoutMs = 30_000;

export interface Source {
  /** What to call it in messages; without the secret part of a URL. */
  readonly label: string;
  readonly bytes: Uint8Array;
  /** Only of a URL: `200 text/html`. */
  readonly answer?: string;
  readonly headers?: Iterable<readonly [string, string]>;
}

export interface ReadOptions {
  /** Client name for URLs; `SBOXMGR_USER_AGENT` when it is not given. An empty one is not sent. */
  readonly userAgent?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Reads a file, `-` for standard input, a URL, or a link that has one inside. This is the user's own machine: any address may be asked. */
export async function readSource(from: string, host: Host, options: ReadOptions = {}): Promise<Source> {
  if (from === '-') return { label: 'standard input', bytes: await host.stdin() };
  const url = await urlIn(from);
  if (url !== undefined) return await readUrl(url, host, options);
  return { label: from, bytes: await readBytes(path.resolve(host.cwd, from)) };
}

/** The address that is named, also inside a link for clients to import: `clash://install-config?url=`, `ssconf://`. */
export async function urlIn(from: string): Promise<string | undefined> {
  if (/^https?:\/\//i.test(from)) return from;
  return from.includes('://') ? (await import('@sbox/formats')).wrappedUrl(from) : undefined;
}

async function readUrl(url: string, host: Host, { userAgent, headers }: ReadOptions): Promise<Source> {
  const label = redactText(url);
  const name = userAgent ?? host.env['SBOXMGR_USER_AGENT'] ?? `sbox/${version}`;
  const answer = await fetch(url, {
    headers: { 'user-agent': name, accept: '*/*', ...headers },
    signal: AbortSignal.any([host.signal, AbortSignal.timeout(timeoutMs)]),
  }).catch((error: unknown) => {
    const cause = (error as { cause?: unknown }).cause ?? error;
    throw new ProblemError('fetch.failed', `${label} → ${messageOf(cause)}`, { cause: error });
  });
  const bytes = await readLimited(answer, label);
  const kind = `${answer.status} ${answer.headers.get('content-type')?.split(';')[0] ?? 'no content type'}`;
  if (!answer.ok) throw new ProblemError('fetch.status', `${label} → ${kind}`);
  return { label, bytes, answer: kind, headers: answer.headers };
}

async function readLimited(answer: Response, label: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body ?? []) {
    size += chunk.length;
    if (size > maxBytes) throw new ProblemError('fetch.too-large', `${label} is longer than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
