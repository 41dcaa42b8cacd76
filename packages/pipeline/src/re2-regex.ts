import type { RegexFactory } from '@sbox/engines/sing-box/render';
import { RE2JS } from 're2js';
import { regexLimits } from './regex.ts';

/** Expressions of rules as the engine reads them; one that is too large is said to be unknown by who asks. */
export const re2Regex: RegexFactory = (expression) => {
  if (expression.length > regexLimits.maxLength) throw new RangeError('the expression is too long');
  const compiled = RE2JS.compile(expression);
  if (compiled.programSize() > regexLimits.maxProgram) throw new RangeError('the expression is too large');
  return { test: (text) => compiled.test(text) };
};
