import { ProblemError } from '@sbox/core';

/** The settings of one line of Surge, Loon or Quantumult X. */
export interface CommaFields {
  /** Values without a key, in their order. */
  readonly plain: readonly string[];
  readonly pairs: readonly (readonly [string, string])[];
  /** One of the plain values stood in double quotes, as Loon writes secrets. */
  readonly hasQuotedPlain: boolean;
}

const maxFields = 256;
const key = /\s*([A-Za-z][\w.-]*)\s*=\s*/y;
/** A quoted value may hold quotes itself: it ends at the quote that another setting, or nothing, follows. */
const endOfPair: Readonly<Record<string, RegExp>> = {
  '"': /"(?=\s*(?:$|,\s*[A-Za-z][\w.-]*\s*=))/g,
  "'": /'(?=\s*(?:$|,\s*[A-Za-z][\w.-]*\s*=))/g,
};
const endOfPlain: Readonly<Record<string, RegExp>> = { '"': /"(?=\s*(?:$|,))/g, "'": /'(?=\s*(?:$|,))/g };
const closing: Readonly<Record<string, string>> = { '[': ']', '{': '}', '(': ')' };

/** Cuts `a, b, k=v, k="v, w"` at the commas between its settings. @throws ProblemError `node.malformed` */
export function splitCommaFields(text: string): CommaFields {
  const plain: string[] = [];
  const pairs: (readonly [string, string])[] = [];
  let hasQuotedPlain = false;
  for (let at = 0; at < text.length;) {
    if (plain.length + pairs.length >= maxFields) {
      throw new ProblemError('node.malformed', `the line has more than ${maxFields} settings`);
    }
    key.lastIndex = at;
    const name = key.exec(text)?.[1];
    const start = name === undefined ? skipSpaces(text, at) : key.lastIndex;
    const { value, end, quote } = readValue(text, start, name === undefined ? endOfPlain : endOfPair);
    if (name === undefined) plain.push(value);
    else pairs.push([name, value]);
    hasQuotedPlain ||= name === undefined && quote === '"';
    at = end + 1;
  }
  return { plain, pairs, hasQuotedPlain };
}

function skipSpaces(text: string, from: number): number {
  let at = from;
  while (text[at] === ' ' || text[at] === '\t') at += 1;
  return at;
}

interface Value {
  readonly value: string;
  /** Where the comma after it stands, or the end of the text. */
  readonly end: number;
  readonly quote?: string;
}

function readValue(text: string, start: number, ends: Readonly<Record<string, RegExp>>): Value {
  const first = text[start] ?? '';
  const quoted = ends[first];
  if (quoted !== undefined) {
    quoted.lastIndex = start + 1;
    const close = quoted.exec(text)?.index;
    if (close !== undefined) return { value: text.slice(start + 1, close), end: commaAfter(text, close), quote: first };
  }
  const end = closing[first] === undefined ? bareEnd(text, start) : commaAfter(text, bracketEnd(text, start));
  return { value: text.slice(start, end).trim(), end };
}

function commaAfter(text: string, from: number): number {
  const comma = text.indexOf(',', from);
  return comma < 0 ? text.length : comma;
}

/** The next comma outside of quotes; a quote opens only behind something that a value can follow. */
function bareEnd(text: string, start: number): number {
  for (let at = start; at < text.length; at += 1) {
    const character = text[at] ?? '';
    if (character === ',') return at;
    if ((character === '"' || character === "'") && (at === start || /[\s:;=|]/.test(text[at - 1] ?? ''))) {
      const close = text.indexOf(character, at + 1);
      if (close > 0) at = close;
    }
  }
  return text.length;
}

/** Where the bracket that opens here is closed, or the end of the text. */
function bracketEnd(text: string, start: number): number {
  const expected: string[] = [];
  for (let at = start; at < text.length; at += 1) {
    const character = text[at] ?? '';
    const close = closing[character];
    if (close !== undefined) expected.push(close);
    else if (character === expected.at(-1)) expected.pop();
    if (expected.length === 0) return at;
  }
  return text.length;
}

const maxHeadersLength = 4_096;
const header =
  /\s*["']?([^"':;|]+)["']?\s*:\s*(?:"(.*?)"(?=\s*(?:[;|]|$))|'(.*?)'(?=\s*(?:[;|]|$))|([^;|]*))\s*(?:[;|]|$)/gy;

/** `Name:value|Name:"value"`, cut at `|` or `;`. @throws ProblemError `node.malformed` */
export function splitHeaders(text: string): (readonly [string, string])[] {
  if (text.length > maxHeadersLength) throw new ProblemError('node.malformed', 'the headers are too long');
  return [...text.matchAll(header)].map(([, name = '', double, single, bare]) => [
    name.trim(),
    (double ?? single ?? bare ?? '').trim().replace(/^["']|["']$/g, ''),
  ]);
}
