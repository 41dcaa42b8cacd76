import type { ASTNode, ParseResult } from '@marcbachmann/cel-js';
import { messageOf, ProblemError } from '@sbox/core';
import { findBlame, type Blame } from './blame.ts';
import { compileRe2, environment, expressionLimits, re2Name } from './environment.ts';
import type { ExpressionContext } from './expression-context.ts';

export interface PolicyTest {
  /**
   * What is wrong; undefined when the expression is true.
   * @throws ProblemError `policy.failed` when it cannot be said
   */
  (context: ExpressionContext): Blame | undefined;
}

/**
 * Makes a test of an expression. It ends after a time that grows with the expression and with the nodes: who runs those
 * of others bounds the time from outside.
 * @throws ProblemError `policy.invalid` with `line` and `column`
 */
export function compilePolicy(text: string): PolicyTest {
  if (text.length > expressionLimits.maxLength)
    throw new ProblemError('policy.invalid', `the expression is longer than ${expressionLimits.maxLength} characters`);
  const parsed = parse(text);
  const checked = parsed.check();
  if (!checked.valid) throw invalid(text, checked.error);
  if (checked.type !== 'bool')
    throw new ProblemError('policy.invalid', `the expression gives ${checked.type ?? 'nothing'}, not true or false`, {
      details: placeOf(text, 0),
    });
  return (context) => {
    let isFine: unknown;
    try {
      isFine = parsed({ ...context.variables });
    } catch (error) {
      throw failed(text, error);
    }
    return isFine === true ? undefined : findBlame(parsed.ast, context, run);
  };
}

/** Evaluates a part of an expression; what cannot be said of it is nothing. */
function run(text: string, context: ExpressionContext): unknown {
  try {
    return parse(text)({ ...context.variables });
  } catch {
    return undefined;
  }
}

/** The library's own `matches` takes JavaScript's expressions, which can take forever; ours takes its place. */
function parse(text: string): ParseResult {
  const parsed = parseCel(text);
  const places: number[] = [];
  visit(parsed.ast, (node) => {
    if (isBytes(node)) throw new ProblemError('policy.invalid', 'bytes are no part of policies', at(text, node));
    if (node.op !== 'rcall' || node.args[0] !== 'matches') return;
    const [, receiver, [pattern]] = node.args;
    if (pattern?.op === 'value' && typeof pattern.args === 'string') checkPattern(text, pattern, pattern.args);
    places.push(text.indexOf('matches', receiver.end));
  });
  if (places.length === 0) return parsed;
  let ours = text;
  for (const place of places) ours = ours.slice(0, place) + re2Name + ours.slice(place + re2Name.length);
  const again = parseCel(ours);
  visit(again.ast, (node) => {
    if (node.op === 'rcall' && node.args[0] === 'matches')
      throw new ProblemError('policy.invalid', 'write matches right behind the dot', at(text, node));
  });
  return again;
}

function parseCel(text: string): ParseResult {
  try {
    return environment.parse(text);
  } catch (error) {
    throw invalid(text, error);
  }
}

function checkPattern(text: string, node: ASTNode, pattern: string): void {
  try {
    compileRe2(pattern);
  } catch (error) {
    throw new ProblemError('policy.invalid', messageOf(error), at(text, node));
  }
}

/** Their content lies outside of the memory that can be bounded. */
const isBytes = ({ op, args }: ASTNode): boolean =>
  (op === 'value' && args instanceof Uint8Array) || (op === 'call' && args[0] === 'bytes');

function visit(part: unknown, look: (node: ASTNode) => void): void {
  if (Array.isArray(part)) {
    for (const one of part) visit(one, look);
    return;
  }
  if (typeof part !== 'object' || part === null || !('op' in part)) return;
  look(part as ASTNode);
  visit((part as ASTNode).args, look);
}

const at = (text: string, { start }: ASTNode) => ({ details: placeOf(text, start) });

function placeOf(text: string, position: number): { line: number; column: number } {
  const lines = text.slice(0, position).split('\n');
  return { line: lines.length, column: (lines.at(-1)?.length ?? 0) + 1 };
}

interface CelProblem {
  readonly summary?: string;
  readonly range?: { readonly start: number };
}

function said(text: string, error: unknown): [words: string, details?: { line: number; column: number }] {
  const { summary, range } = error as CelProblem;
  const words = (summary ?? messageOf(error)).replaceAll(re2Name, 'matches').slice(0, 500);
  return range === undefined ? [words] : [words, placeOf(text, range.start)];
}

function invalid(text: string, error: unknown): ProblemError {
  if (error instanceof ProblemError) return error;
  const [words, place] = said(text, error);
  if (place === undefined) return new ProblemError('policy.invalid', words, { cause: error });
  const where = `line ${place.line}, column ${place.column}`;
  return new ProblemError('policy.invalid', `${where}: ${words}`, { details: place, cause: error });
}

function failed(text: string, error: unknown): ProblemError {
  const [words, place] = said(text, error);
  const hint = words.startsWith('No such key') ? ` (ask first: has(x.${words.split(' ').at(-1)}))` : '';
  const where = place === undefined ? '' : `line ${place.line}, column ${place.column}: `;
  return new ProblemError('policy.failed', `${where}${words}${hint}`, {
    cause: error,
    ...(place && { details: place }),
  });
}
