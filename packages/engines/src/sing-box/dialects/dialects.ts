import { ProblemError } from '@sbox/core';
import { inlineAcme } from './dialect-certificates.ts';
import { legacyDns } from './dialect-dns.ts';
import { dropTooNew } from './dialect-fields.ts';
import { addressRules, downloadDetours, rejectedDnsCache, ruleSetTags } from './dialect-rules.ts';
import type { Json } from '../document.ts';
import type { DialectRow, Lowering } from './lowering.ts';
import type { RenderWarning } from '../parts.ts';
import type { Profile } from '../profile.ts';

/**
 * From the newest dialect down, so that a row meets what those above it have left. What is still too new after them is
 * looked up field by field.
 */
export const dialectRows: readonly DialectRow[] = [
  { feature: 'several tags of one rule-set: one rule-set each', since: 14, lower: ruleSetTags },
  { feature: 'HTTP clients of remote rule-sets: download_detour', since: 14, lower: downloadDetours },
  { feature: 'certificate providers of the type acme: tls.acme', since: 14, lower: inlineAcme },
  { feature: 'cache_file.store_dns: store_rdrc', since: 14, lower: rejectedDnsCache },
  { feature: 'DNS rules evaluate and match_response: address filters', since: 14, lower: addressRules },
  ...legacyDns,
  { feature: 'fields and types that are newer than the engine', since: 99, lower: dropTooNew },
];

export interface Lowered {
  readonly config: Json;
  readonly warnings: readonly RenderWarning[];
}

/** A large document may say the same thing thousands of times. */
const maxWarnings = 200;

/**
 * Writes a document of the newest dialect so that an older engine understands it; works in place.
 * @throws ProblemError `template.unsupported` for what the older dialect has no words for
 */
export function lowerDialect(config: Json, { minor }: Profile): Lowered {
  const warnings: RenderWarning[] = [];
  let count = 0;
  const lowering: Lowering = {
    minor,
    warn: (path, message) => {
      count += 1;
      if (count <= maxWarnings) warnings.push({ code: 'dialect.lowered', path, message });
    },
    refuse: (path, message) => {
      throw new ProblemError('template.unsupported', `${path}: ${message}`, {
        details: { path, engine: `1.${minor}` },
      });
    },
  };
  for (const { since, lower } of dialectRows) if (minor < since) lower(config, lowering);
  const more = count - warnings.length;
  if (more > 0) warnings.push({ code: 'dialect.lowered', path: '', message: `and ${more} more` });
  return { config, warnings };
}
