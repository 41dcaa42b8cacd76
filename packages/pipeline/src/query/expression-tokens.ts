import type { ProblemError } from '@sbox/core';
import { invalid } from '../regex.ts';

export interface Token {
  readonly kind: 'word' | 'text' | 'sign' | 'end';
  readonly value: string;
  /** From 1. */
  readonly at: number;
}

const tokenPattern =
  /\s*(?:(==|!=|<=|>=|!~|&&|\|\||[()~<>,=!])|"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s"'()~<>,=!&|]+))/y;

/** Signs of other languages for the words of this one. */
const signWords: Readonly<Record<string, string>> = { '&&': 'and', '||': 'or', '!': 'not' };

/** In quotes only `\"` and `\'` are escapes, so that regular expressions keep theirs. */
export function readTokens(source: string): Token[] {
  const tokens: Token[] = [];
  const end = source.trimEnd().length;
  tokenPattern.lastIndex = 0;
  while (tokenPattern.lastIndex < end) {
    const start = tokenPattern.lastIndex;
    const match = tokenPattern.exec(source);
    if (match === null) {
      const rest = source.slice(start).trimStart();
      throw expressionProblem(source.length - rest.length + 1, `${JSON.stringify(rest.charAt(0))} cannot be read here`);
    }
    const [whole, sign, double, single, word = ''] = match;
    const at = start + whole.length - whole.trimStart().length + 1;
    const text = double ?? single;
    if (text !== undefined) tokens.push({ kind: 'text', value: text.replace(/\\(["'])/g, '$1'), at });
    else if (sign === undefined) tokens.push({ kind: 'word', value: word, at });
    else if (Object.hasOwn(signWords, sign)) tokens.push({ kind: 'word', value: signWords[sign] ?? sign, at });
    else tokens.push({ kind: 'sign', value: sign, at });
  }
  tokens.push({ kind: 'end', value: '', at: end + 1 });
  return tokens;
}

export const expressionProblem = (at: number, what: string): ProblemError =>
  invalid(`the expression, at character ${at}: ${what}`);

/** Where the parser is in a list of tokens. */
export interface Cursor {
  peek(): Token;
  take(): Token;
  takeWord(word: string): boolean;
  takeSign(sign: string): boolean;
  /** What to throw when something else should stand here. */
  missing(what: string): ProblemError;
}

export function createCursor(tokens: readonly Token[]): Cursor {
  let next = 0;
  const last = tokens.at(-1) ?? { kind: 'end', value: '', at: 1 };
  const peek = (): Token => tokens[next] ?? last;
  const takeIf = (found: boolean): boolean => {
    if (found) next += 1;
    return found;
  };
  return {
    peek,
    take() {
      const token = peek();
      next += 1;
      return token;
    },
    takeWord: (word) => takeIf(peek().kind === 'word' && peek().value.toLowerCase() === word),
    takeSign: (sign) => takeIf(peek().kind === 'sign' && peek().value === sign),
    missing(what) {
      const { kind, value, at } = peek();
      return expressionProblem(at, `${what} is missing${kind === 'end' ? '' : ` before ${JSON.stringify(value)}`}`);
    },
  };
}
