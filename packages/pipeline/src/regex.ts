import { ProblemError, messageOf } from '@sbox/core';
import { RE2JS } from 're2js';

/** A regular expression of a user. Matching takes time in proportion to the text, whatever the expression is. */
export interface Pattern {
  /** Whether it is found anywhere in the text. */
  isIn(text: string): boolean;
  /** Every find replaced; `$1` is the first group, `$&` the find, `$$` a dollar. */
  replaceIn(text: string, replacement: string): string;
  readonly groupCount: number;
}

export const regexLimits = { maxLength: 1000, maxProgram: 2000, maxPatterns: 500, maxPrograms: 100_000 } as const;

/** How long the expressions of a pipeline may take in all: some need milliseconds for a name, whatever their size. */
export interface TimeBudget {
  readonly monotonic: () => number;
  readonly maxMs: number;
}

export type CompilePattern = (text: string) => Pattern;

/**
 * Compiles the expressions of one pipeline within common limits. With a budget, matching ends with `pipeline.too-slow`.
 * @throws ProblemError `pipeline.invalid`
 */
export function createPatternCompiler(budget?: TimeBudget): CompilePattern {
  const spend = createSpender(budget);
  let patterns = 0;
  let programs = 0;
  return (text) => {
    patterns += 1;
    if (patterns > regexLimits.maxPatterns)
      throw invalid(`there are more than ${regexLimits.maxPatterns} regular expressions`);
    const compiled = compileOne(text);
    programs += compiled.programSize();
    if (programs > regexLimits.maxPrograms) throw invalid('all regular expressions together are too large');
    return {
      isIn: (name) => {
        spend();
        return compiled.test(name);
      },
      replaceIn: (name, replacement) => {
        spend();
        return compiled.test(name) ? compiled.matcher(name).replaceAll(replacement) : name;
      },
      groupCount: compiled.groupCount(),
    };
  };
}

const callsBetweenLooks = 64;

/** Looks at the clock now and then, because a look costs as much as a match. */
function createSpender(budget: TimeBudget | undefined): () => void {
  if (budget === undefined) return () => undefined;
  const { monotonic, maxMs } = budget;
  const endMs = monotonic() + maxMs;
  let calls = 0;
  return () => {
    calls += 1;
    if (calls % callsBetweenLooks === 0 && monotonic() > endMs)
      throw new ProblemError('pipeline.too-slow', `it took longer than ${maxMs} ms`, { details: { max_ms: maxMs } });
  };
}

function compileOne(text: string): RE2JS {
  if (text.length > regexLimits.maxLength)
    throw invalid(`a regular expression is longer than ${regexLimits.maxLength} characters`);
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(text);
  } catch (error) {
    const reason = messageOf(error).replace(/^error parsing regexp: /, '');
    throw invalid(`the regular expression ${JSON.stringify(text)} cannot be used: ${reason}`, error);
  }
  if (compiled.programSize() > regexLimits.maxProgram)
    throw invalid(`the regular expression ${JSON.stringify(text)} is too large; use smaller repetitions`);
  return compiled;
}

/** Refuses references to groups that the expression does not have. */
export function checkReplacement(pattern: Pattern, replacement: string): void {
  for (const [, dollar, digits] of replacement.matchAll(/\$(?:(\$)|(\d+))/g)) {
    if (dollar === undefined && Number(digits) > pattern.groupCount)
      throw invalid(`"$${digits}" is not a group of the regular expression; write $$ for a dollar`);
  }
}

export const invalid = (detail: string, cause?: unknown): ProblemError =>
  new ProblemError('pipeline.invalid', detail, cause === undefined ? {} : { cause });
