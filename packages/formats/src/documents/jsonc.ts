import { ProblemError } from '@sbox/core';
import { defaultLimits } from '../limits.ts';
import { createLineCounter } from '../text/lines.ts';

/** JSON with comments and trailing commas, and where the items of its lists stand. */
export interface Jsonc {
  readonly value: unknown;
  /** The 1-based lines on which the items of a list begin: a field of the root object, or the root itself (no name). */
  linesOf(field?: string): readonly number[];
}

/**
 * Undefined when the text is not JSON even so.
 * @throws ProblemError `subscription.too-deep`
 */
export const parseJsonc = (source: string, maxDepth = defaultLimits.maxDepth): Jsonc | undefined =>
  tryParse(source, maxDepth) ?? tryParse(withoutComments(source), maxDepth);

function tryParse(json: string | undefined, maxDepth: number): Jsonc | undefined {
  if (json === undefined) return undefined;
  try {
    // JSON.parse takes seconds for millions of brackets, so the depth is looked at first.
    const starts = listItemStarts(json, maxDepth);
    const value: unknown = JSON.parse(json);
    return { value, linesOf: (field = '') => (starts.get(field) ?? []).map(createLineCounter(json)) };
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    // Not JSON; or a string of millions of escapes, which exhausts the stack of regular expressions.
    return undefined;
  }
}

const text = /"[^"\\]*(?:\\.[^"\\]*)*"/.source;
const comments = new RegExp(String.raw`${text}|\/\/[^\n\r]*|\/\*[^]*?\*\/`, 'g');
const trailingCommas = new RegExp(String.raw`${text}|,(?=\s*[}\]])`, 'g');
const tokens = new RegExp(String.raw`${text}|[{}[\],]`, 'g');

/** Puts spaces in place of what JSON does not know, so that offsets and lines stay. */
function withoutComments(source: string): string | undefined {
  const blank = (match: string): string => (match.startsWith('"') ? match : match.replace(/[^\n\r]/g, ' '));
  try {
    return source.replace(comments, blank).replace(trailingCommas, blank);
  } catch {
    return undefined;
  }
}

/** Offsets of the items of the root list, or of each list of the root object by its name. */
function listItemStarts(json: string, maxDepth: number): ReadonlyMap<string, readonly number[]> {
  const starts = new Map<string, number[]>();
  let depth = 0;
  let listDepth = 2;
  let field = '';
  let list: number[] | undefined;
  for (const { 0: token, index } of json.matchAll(tokens)) {
    if (token === '{' || token === '[') {
      depth += 1;
      if (depth > maxDepth) {
        throw new ProblemError('subscription.too-deep', `the JSON is nested deeper than ${maxDepth} levels`, {
          details: { max_depth: maxDepth },
        });
      }
      if (depth === 1 && token === '[') listDepth = 1;
      if (depth === listDepth) list = token === '[' ? [itemStart(json, index)] : undefined;
      if (depth === listDepth && list) starts.set(field, list);
    } else if (token === '}' || token === ']') depth -= 1;
    else if (token === ',') {
      if (depth === listDepth) list?.push(itemStart(json, index));
    } else if (depth === 1 && listDepth === 2) field = token.slice(1, -1);
  }
  return starts;
}

const blankRun = /\s*/y;

/** The next place after a bracket or comma that is not blank. */
function itemStart(json: string, index: number): number {
  blankRun.lastIndex = index + 1;
  blankRun.test(json);
  return blankRun.lastIndex;
}
