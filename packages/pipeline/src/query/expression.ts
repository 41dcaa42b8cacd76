import { ProblemError } from '@sbox/core';
import type { CompilePattern } from '../regex.ts';
import { createCursor, expressionProblem, readTokens, type Cursor, type Token } from './expression-tokens.ts';
import { isFieldName, nodeFields, textsOf, valueTest, type FieldName, type NodeTest } from './node-fields.ts';

const maxDepth = 32;

interface Reading {
  readonly cursor: Cursor;
  readonly pattern: CompilePattern;
}

/**
 * Reads `country in (DE, NL) and not name ~ "x2" and port == 443`:
 *
 *     or    = and { "or" and }
 *     and   = not { "and" not }
 *     not   = "not" not | "(" or ")" | test
 *     test  = field                                       (of a field that is true or false)
 *           | field ("==" | "!=" | "<" | "<=" | ">" | ">=") value
 *           | field ("~" | "!~") value                    (a regular expression)
 *           | field ["not"] "in" "(" value { "," value } ")"
 *
 * A value is a word or a text in quotes; a field and a value mean the same as in a query object.
 * @throws ProblemError `pipeline.invalid` with the position
 */
export function compileExpression(source: string, pattern: CompilePattern): NodeTest {
  const cursor = createCursor(readTokens(source));
  const test = readOr({ cursor, pattern }, 0);
  if (cursor.peek().kind !== 'end') throw cursor.missing('"and" or "or"');
  return test;
}

const negated =
  (test: NodeTest): NodeTest =>
  (piped) =>
    !test(piped);

function readOr(reading: Reading, depth: number): NodeTest {
  const tests = [readAnd(reading, depth)];
  while (reading.cursor.takeWord('or')) tests.push(readAnd(reading, depth));
  const [only, ...others] = tests;
  return only && others.length === 0 ? only : (piped) => tests.some((test) => test(piped));
}

function readAnd(reading: Reading, depth: number): NodeTest {
  const tests = [readNot(reading, depth)];
  while (reading.cursor.takeWord('and')) tests.push(readNot(reading, depth));
  const [only, ...others] = tests;
  return only && others.length === 0 ? only : (piped) => tests.every((test) => test(piped));
}

function readNot(reading: Reading, depth: number): NodeTest {
  const { cursor } = reading;
  if (depth > maxDepth) throw expressionProblem(cursor.peek().at, `it nests deeper than ${maxDepth}`);
  if (cursor.takeWord('not')) return negated(readNot(reading, depth + 1));
  if (!cursor.takeSign('(')) return readTest(reading);
  const inner = readOr(reading, depth + 1);
  if (!cursor.takeSign(')')) throw cursor.missing('")"');
  return inner;
}

function readTest(reading: Reading): NodeTest {
  const { cursor } = reading;
  const token = cursor.peek();
  if (token.kind !== 'word') throw cursor.missing('a field');
  cursor.take();
  const name = token.value.toLowerCase();
  if (!isFieldName(name)) {
    const known = Object.keys(nodeFields).join(', ');
    throw expressionProblem(token.at, `"${token.value}" is not a field; fields are ${known}`);
  }
  if (cursor.takeWord('in')) return listTest(name, readList(cursor));
  if (cursor.takeWord('not')) {
    if (!cursor.takeWord('in')) throw cursor.missing('"in"');
    return negated(listTest(name, readList(cursor)));
  }
  const { kind, value } = cursor.peek();
  if (kind === 'sign' && value !== ')') return readComparison(reading, name, cursor.take());
  if (nodeFields[name].kind !== 'flag') throw cursor.missing('a comparison, as == or in (…),');
  return valueTest(name, [true]);
}

function readComparison({ cursor, pattern }: Reading, name: FieldName, sign: Token): NodeTest {
  switch (sign.value) {
    case '=':
    case '==':
      return listTest(name, [readValue(cursor)]);
    case '!=':
      return negated(listTest(name, [readValue(cursor)]));
    case '~':
      return patternTest(name, sign, readValue(cursor), pattern);
    case '!~':
      return negated(patternTest(name, sign, readValue(cursor), pattern));
    case '<':
    case '<=':
    case '>':
    case '>=':
      return orderTest(name, sign, readValue(cursor));
    default:
      throw expressionProblem(sign.at, `"${sign.value}" is not a comparison`);
  }
}

function readValue(cursor: Cursor): Token {
  const { kind } = cursor.peek();
  if (kind !== 'word' && kind !== 'text') throw cursor.missing('a value');
  return cursor.take();
}

function readList(cursor: Cursor): Token[] {
  if (!cursor.takeSign('(')) throw cursor.missing('"("');
  const values = [readValue(cursor)];
  while (cursor.takeSign(',')) values.push(readValue(cursor));
  if (!cursor.takeSign(')')) throw cursor.missing('")"');
  return values;
}

/** A problem with a value gets the position of the value. */
function locate<T>(token: Token, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw error instanceof ProblemError ? expressionProblem(token.at, error.message) : error;
  }
}

function listTest(name: FieldName, tokens: readonly Token[]): NodeTest {
  for (const token of tokens) locate(token, () => valueTest(name, [token.value]));
  return valueTest(
    name,
    tokens.map((token) => token.value),
  );
}

function patternTest(name: FieldName, sign: Token, value: Token, pattern: CompilePattern): NodeTest {
  const texts = textsOf(name);
  if (texts === undefined) throw expressionProblem(sign.at, `${name} is not text`);
  const compiled = locate(value, () => pattern(value.value));
  return (piped) => {
    const found = texts(piped);
    return typeof found === 'string' ? compiled.isIn(found) : found.some((text) => compiled.isIn(text));
  };
}

const orders: Readonly<Record<string, (left: number, right: number) => boolean>> = {
  '<': (left, right) => left < right,
  '<=': (left, right) => left <= right,
  '>': (left, right) => left > right,
  '>=': (left, right) => left >= right,
};

function orderTest(name: FieldName, sign: Token, { value, at }: Token): NodeTest {
  const compare = orders[sign.value];
  if (nodeFields[name].kind !== 'port' || compare === undefined)
    throw expressionProblem(sign.at, `${name} is not a number`);
  if (!/^\d{1,5}$/.test(value)) throw expressionProblem(at, `"${value}" is not a number`);
  const border = Number(value);
  return ({ node }) => compare(node.server_port, border);
}
