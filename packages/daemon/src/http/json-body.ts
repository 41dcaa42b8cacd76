import { ProblemError } from '@sbox/core';

/** Deeper than anything that is sent on purpose, and shallow enough for every function that walks a value by recursion. */
const maxDepth = 64;
const jsonTypes: ReadonlySet<string> = new Set(['application/json', 'application/merge-patch+json']);

/**
 * The value of a JSON body.
 * @throws ProblemError `request.unsupported-media-type`, `request.too-deep`, `request.malformed`, `request.invalid`
 */
export function readJsonBody(headers: Readonly<Record<string, string>>, body: Uint8Array): unknown {
  refuseOtherMediaType(headers);
  if (isDeeper(body, maxDepth))
    throw new ProblemError('request.too-deep', `the body is nested deeper than ${maxDepth} levels`, {
      details: { max_depth: maxDepth },
    });
  const value = parse(body);
  const place = placeOfProto(value);
  if (place !== undefined) throw new ProblemError('request.invalid', `body${place}: no field may be called __proto__`);
  return value;
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as unknown;
  } catch (error) {
    throw new ProblemError('request.malformed', `the body is not JSON: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * Where a field is called `__proto__`: what copies fields loses it without a word, or takes it for something else. As
 * `.values`, the empty text for the top; undefined where there is none.
 */
export function placeOfProto(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Object.hasOwn(value, '__proto__')) return '';
  for (const [key, item] of Object.entries(value)) {
    const place = placeOfProto(item);
    if (place !== undefined) return `.${key}${place}`;
  }
  return undefined;
}

function refuseOtherMediaType({
  'content-type': given,
  'content-encoding': encoding,
}: Readonly<Record<string, string>>) {
  const type = given?.split(';')[0]?.trim().toLowerCase();
  if (type !== undefined && !jsonTypes.has(type))
    throw new ProblemError('request.unsupported-media-type', `the body is ${type}, not JSON`);
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    throw new ProblemError('request.unsupported-media-type', `the body is compressed: ${encoding}`);
}

const [quote, backslash, openBrace, openBracket, closeBrace, closeBracket] = [...Buffer.from('"\\{[}]')];

/** Whether brackets outside of strings open more than `most` levels; bytes that are no JSON may give either answer. */
export function isDeeper(json: Uint8Array, most: number): boolean {
  let depth = 0;
  for (let index = 0; index < json.length; index += 1) {
    const byte = json[index];
    if (byte === quote) index = endOfString(json, index);
    else if (byte === openBrace || byte === openBracket) {
      depth += 1;
      if (depth > most) return true;
    } else if (byte === closeBrace || byte === closeBracket) depth -= 1;
  }
  return false;
}

/** The index of the quote that ends the string which begins at `start`. */
function endOfString(json: Uint8Array, start: number): number {
  for (let end = start; ;) {
    end = json.indexOf(quote as number, end + 1);
    if (end < 0) return json.length;
    let slashes = end;
    while (json[slashes - 1] === backslash) slashes -= 1;
    if ((end - slashes) % 2 === 0) return end;
  }
}
