import { asRecord, isRecord, type Json } from '../document.ts';
import { definitionsIn } from '../checks/references.ts';

export interface ChangedOutbound {
  readonly tag: string;
  /** Names of the fields that differ, e.g. `tls.server_name`; never their values, which may be secrets. */
  readonly fields: readonly string[];
}

/** What differs between the outbounds and endpoints of two configurations, by tag, in the order of the later one. */
export interface OutboundDiff {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly ChangedOutbound[];
}

export function diffOutbounds(before: unknown, after: unknown): OutboundDiff {
  const old = outboundsOf(before);
  const now = outboundsOf(after);
  return {
    added: [...now.keys()].filter((tag) => !old.has(tag)),
    removed: [...old.keys()].filter((tag) => !now.has(tag)),
    changed: [...now].flatMap(([tag, item]) => {
      const earlier = old.get(tag);
      const fields = earlier === undefined ? [] : changedFields(earlier, item, '');
      return fields.length === 0 ? [] : [{ tag, fields }];
    }),
  };
}

const outboundsOf = (config: unknown): ReadonlyMap<string, Json> =>
  new Map(definitionsIn(asRecord(config)).flatMap(({ kind, tag, item }) => (kind === 'outbound' ? [[tag, item]] : [])));

/** Names of the fields that differ, with their path below `prefix`; a list differs as a whole. */
export function changedFields(before: Json, after: Json, prefix: string): string[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].toSorted().flatMap((key) => {
    const [old, now] = [before[key], after[key]];
    if (isRecord(old) && isRecord(now)) return changedFields(old, now, `${prefix}${key}.`);
    return isSame(old, now) ? [] : [`${prefix}${key}`];
  });
}

/** The order of fields says nothing, the order of a list does. */
export function isSame(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => isSame(item, b[index]));
  if (isRecord(a) && isRecord(b)) return changedFields(a, b, '').length === 0;
  return a === b;
}
