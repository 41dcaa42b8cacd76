import { inflateSync } from 'node:zlib';
import { ProblemError } from '@sbox/core';
import { parseRuleSet, parseSrs, type RuleSetContents } from '@sbox/engines/sing-box/render';
import type { Repositories } from '../../database/store.ts';
import { ruleSetFile, type RuleSetRef, type VersionInputs } from './rendering.ts';

type RuleSet = ReturnType<typeof parseSrs>;

const inflate = (packed: Uint8Array, maxBytes: number): Uint8Array =>
  inflateSync(packed, { maxOutputLength: maxBytes });

/**
 * The rules in the rule-sets of a version, by their addresses and by the paths in its renditions. What only a newer engine
 * can read is left out: what it says is then not known.
 */
export async function loadRuleSets(
  { blobs }: Pick<Repositories, 'blobs'>,
  { rule_sets = [] }: VersionInputs,
): Promise<RuleSetContents> {
  const contents = new Map<string, RuleSet>();
  for (const ref of rule_sets) {
    const bytes = await blobs.content(ref.digest);
    const rules = bytes && read(bytes, ref);
    if (rules) contents.set(ref.url, rules).set(ruleSetFile(ref).path, rules);
  }
  return contents;
}

function read(bytes: Buffer, { format }: Pick<RuleSetRef, 'format'>): RuleSet | undefined {
  try {
    return format === 'binary' ? parseSrs(bytes, { inflate }) : parseRuleSet(bytes.toString('utf8'));
  } catch (error) {
    if (error instanceof ProblemError) return undefined;
    throw error;
  }
}
