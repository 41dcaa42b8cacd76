import { isRecord, type Json } from '../document.ts';

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
