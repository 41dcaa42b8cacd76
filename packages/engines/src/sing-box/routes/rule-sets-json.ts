import { ProblemError } from '@sbox/core';
import { isRecord, type Json } from '../document.ts';

/** A rule-set: rules without actions, of which one must hold. */
export interface RuleSet {
  readonly version: number;
  readonly rules: readonly Json[];
}

/** Newest format that is read (sing-box 1.14). */
const newestVersion = 5;

/**
 * Reads a rule-set in source form (sing-box's "Source Format"), as a text or a value. Binary ones are for `parseSrs`.
 * @throws ProblemError `rule-set.invalid`
 */
export function parseRuleSet(source: unknown): RuleSet {
  const document = typeof source === 'string' ? parseJson(source) : source;
  if (!isRecord(document)) throw invalid('it is not a JSON object');
  const { version, rules } = document;
  if (typeof version !== 'number' || !(version >= 1 && version <= newestVersion)) {
    throw invalid(`its version is not one of 1 to ${newestVersion}`);
  }
  if (rules !== undefined && !(Array.isArray(rules) && rules.every(isRecord)))
    throw invalid('"rules" is no list of objects');
  return { version, rules: rules ?? [] };
}

export const invalid = (why: string): ProblemError =>
  new ProblemError('rule-set.invalid', `the rule-set cannot be read: ${why}`);

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (cause) {
    throw new ProblemError('rule-set.invalid', 'the rule-set is not JSON', { cause });
  }
}
