import type { Duplex } from 'node:stream';
import { ProblemError, toProblem } from '@sbox/core';
import { rateLimitHeaders } from './steps/gate.ts';

/** A problem as it goes out. */
export interface ProblemAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The one place where problems become answers, with the headers that go with them. */
export function problemAnswer(error: ProblemError, instance?: string): ProblemAnswer {
  const problem = toProblem(error, instance);
  return {
    status: problem.status,
    headers: {
      'content-type': 'application/problem+json',
      ...(problem.status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
      ...waitHeaders(error.details ?? {}),
      ...(typeof error.details?.['allow'] === 'string' ? { allow: error.details['allow'] } : {}),
    },
    body: JSON.stringify(problem),
  };
}

function waitHeaders({ policy, limit, window_s, retry_after_s }: Readonly<Record<string, unknown>>) {
  if (typeof retry_after_s !== 'number') return {};
  const isLimit = typeof policy === 'string' && typeof limit === 'number' && typeof window_s === 'number';
  return {
    'retry-after': String(retry_after_s),
    ...(isLimit
      ? rateLimitHeaders({ policy, quota: limit, windowS: window_s, remaining: 0, resetS: retry_after_s })
      : {}),
  };
}

/** Of pages without any script or style: what they show stands in them as text. */
export const pageAnswer = { 'content-type': 'text/html; charset=utf-8' };

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);

/** A page of a heading and paragraphs. */
export const textPage = (title: string, paragraphs: readonly string[]): string =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>${escapeHtml(title)}</title>` +
  `<h1>${escapeHtml(title)}</h1>${paragraphs.map((text) => `<p>${escapeHtml(text)}</p>`).join('')}</html>\n`;

/** The same for somebody whose browser was led here, and who would be shown JSON otherwise. */
export function problemPage(error: ProblemError, instance?: string): ProblemAnswer {
  const { status, headers } = problemAnswer(error, instance);
  const { title, detail, code, fix } = toProblem(error, instance);
  const lines = [detail, fix ?? '', `${code} · ${instance ?? ''}`].filter((line) => line !== '');
  return { status, headers: { ...headers, ...pageAnswer }, body: textPage(title, lines) };
}

/** Whether a browser asks for a page to show, not a program or a script of a page. */
export const isNavigation = (accept: string | undefined, mode: string | undefined): boolean =>
  mode === 'navigate' && (accept ?? '').includes('text/html');

/** Answers over a connection that no request or no answer of Node's belongs to, and ends it. */
export function refuseConnection(socket: Duplex, error: unknown): void {
  const problem =
    error instanceof ProblemError ? error : new ProblemError('internal.error', 'the connection broke inside');
  const { status, headers, body } = problemAnswer(problem);
  const lines = Object.entries({ ...headers, 'content-length': String(Buffer.byteLength(body)), connection: 'close' });
  // Such a connection has no time limit: a caller that keeps its half open would hold it for ever.
  socket.once('finish', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} Refused\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`,
  );
}
