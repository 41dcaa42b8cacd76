import { isProblemCode, ProblemError, redactText, type ProblemCode } from '@sbox/core';
import { normaliseName } from './text/names.ts';

/** A line or item of a subscription that gave no node. */
export interface Rejected {
  /** 1-based, in the text that was read (after base64). */
  readonly line: number;
  readonly code: ProblemCode;
  readonly reason: string;
  /** The beginning of the line without its secrets. */
  readonly text?: string;
}

const maxTextLength = 80;

/** Shows enough of a line to find it again: scheme, server and name, or the beginning; never keys or passwords. */
function excerpt(line: string): string {
  const text = normaliseName(line.slice(0, 2_000));
  const scheme = text.indexOf('://');
  const shown = scheme > 0 && scheme < 24 ? linkExcerpt(text, scheme) : hideSecrets(configLineExcerpt(text));
  return shown.length > maxTextLength ? `${shown.slice(0, maxTextLength - 1).toWellFormed()}…` : shown;
}

function linkExcerpt(text: string, scheme: number): string {
  const hash = text.indexOf('#');
  const body = text.slice(scheme + 3, hash < 0 ? undefined : hash).split('?')[0] ?? '';
  const at = body.lastIndexOf('@');
  // Without a user part the body may be base64 of everything.
  const server = at < 0 ? '***' : `***@${(body.slice(at + 1).split('/')[0] ?? '').slice(0, 40)}`;
  return `${text.slice(0, scheme)}://${server}${hash < 0 ? '' : text.slice(hash)}`;
}

/** Name, type, server and port of a line of Surge or Loon; behind them secrets stand without a key. */
function configLineExcerpt(text: string): string {
  const start = /^[^=,]{1,256}=\s*[\w-]{2,20}\s*,[^,]*,[^,]*(?=,)/.exec(text)?.[0];
  return start === undefined ? text : `${start}, ***`;
}

const secretPairs =
  /\b(password|passwd|pass|pwd|psk|uuid|id|token|key|private[-_]?key|username|user)(["']?\s*[=:]\s*)[^\s,;}]+/gi;
const longToken = /[A-Za-z0-9+/_=-]{20,}/g;

const hideSecrets = (text: string): string =>
  redactText(text.replace(secretPairs, '$1$2***').replace(longToken, '***'));

/** @throws what was thrown, when it is no ProblemError: a defect of ours must not hide as a bad line. */
export function rejection(error: unknown, line: number, text: string): Rejected {
  if (!(error instanceof ProblemError) || !isProblemCode(error.code)) throw error;
  const shown = excerpt(text);
  return { line, code: error.code, reason: error.message, ...(shown === '' ? {} : { text: shown }) };
}
