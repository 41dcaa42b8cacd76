import type { ProblemCode } from '@sbox/core';
import { lacking, type CapabilityKind, type FeatureName } from './capability-table.ts';
import { isRecord } from '../document.ts';
import type { Profile } from '../profile.ts';

/** Why a value cannot be written. Values themselves are never named: they may be secrets. */
export interface Complaint {
  readonly code: Extract<ProblemCode, 'node.unsupported' | 'node.invalid-value' | 'node.missing-field'>;
  readonly reason: string;
}

/** What a field may hold: looks at a value and says what is wrong with it, if anything. */
export type Field = (value: unknown, path: string, profile: Profile) => Complaint | undefined;

export const invalid = (path: string, what: string): Complaint => ({
  code: 'node.invalid-value',
  reason: `${path} ${what}`,
});
export const unsupported = (reason: string): Complaint => ({ code: 'node.unsupported', reason });

const when =
  (isGood: (value: unknown) => boolean, what: string): Field =>
  (value, path) =>
    isGood(value) ? undefined : invalid(path, what);

const matches = (pattern: RegExp, what: string): Field =>
  when((value) => typeof value === 'string' && pattern.test(value), what);

export const text = when((value) => typeof value === 'string', 'must be a text');
export const filled = when((value) => typeof value === 'string' && value !== '', 'must not be empty');
export const flag = when((value) => typeof value === 'boolean', 'must be true or false');
export const int = (min: number, max: number): Field =>
  when(
    (value) => Number.isInteger(value) && Number(value) >= min && Number(value) <= max,
    `must be a whole number from ${min} to ${max}`,
  );
export const port = int(1, 65_535);
export const duration = matches(/^(?:\d{1,6}(?:\.\d{1,6})?(?:ns|us|µs|ms|s|m|h|d))+$/, 'must be a duration like 30s');
export const uuid = matches(/^[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$/i, 'must be a UUID');
export const hostName = matches(/^[^\s/?#@[\]]{1,255}$/, 'must be a host name or an IP address');
export const urlPath = matches(/^(?:[^%\p{Cc}]|%[0-9a-f]{2})*$/iu, 'must be the path of a URL');

/** Standard base64 with padding: sing-box takes no other. */
export const base64Key = (bytes: number): Field =>
  when((value) => base64Length(value) === bytes, `must be base64 of ${bytes} bytes`);

export function base64Length(value: unknown): number | undefined {
  if (typeof value !== 'string') return undefined;
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(value)) return undefined;
  return (value.length / 4) * 3 - (value.endsWith('==') ? 2 : value.endsWith('=') ? 1 : 0);
}

/** base64url of 32 bytes without padding, as REALITY has it. */
export const realityKey = matches(/^[A-Za-z0-9_-]{43}$/, 'must be base64url of 32 bytes');
export const shortId = matches(/^(?:[0-9a-f]{2}){0,8}$/i, 'must be hex of at most 8 bytes');

/** PEM text, whole or by lines; what the bytes mean is left to the engine's check. */
export const pem = (label: string): Field => {
  const block = new RegExp(`-----BEGIN ${label}-----\\n([^-]+)-----END ${label}-----`, 'g');
  const isPem = (value: string): boolean => {
    const contents = [...value.matchAll(block)].map(([, content = '']) => content.replace(/\s/g, ''));
    const isWhole = value.replace(block, '').trim() === '';
    return isWhole && contents.length > 0 && contents.every((content) => base64Length(content) !== undefined);
  };
  return when(
    (value) => (typeof value === 'string' ? isPem(value) : isTextList(value) && isPem(value.join('\n'))),
    'must be PEM text',
  );
};

/** What names of methods and modes look like; a key that came into such a field by mistake does not. */
const word = /^[a-z0-9][a-z0-9_-]{0,39}$/;

/** One of some words; another one is a feature that this engine does not have. */
export const oneOf = (...words: readonly string[]): Field => {
  const known = new Set<unknown>(words);
  return (value, path) => {
    if (known.has(value)) return undefined;
    const named = typeof value === 'string' && word.test(value) ? `${path} "${value}"` : `such ${path}`;
    return unsupported(`sing-box has no ${named}`);
  };
};

export const list =
  (item: Field, min = 0): Field =>
  (value, path, profile) => {
    if (!Array.isArray(value) || value.length < min) return invalid(path, `must be a list of at least ${min}`);
    return first(value, (entry: unknown, index) => item(entry, `${path}[${index}]`, profile));
  };

export const fixedList = (item: Field, length: number): Field => {
  const items = list(item);
  return (value, path, profile) =>
    Array.isArray(value) && value.length !== length
      ? invalid(path, `must have ${length} items`)
      : items(value, path, profile);
};

export const either =
  (isFirst: (value: unknown) => boolean, one: Field, other: Field): Field =>
  (value, path, profile) =>
    (isFirst(value) ? one : other)(value, path, profile);

export const textOrList = either((value) => typeof value === 'string', text, list(text));

/** HTTP headers: names to values. */
export const headers: Field = (value, path) =>
  isRecord(value) && Object.values(value).every((item) => typeof item === 'string' || isTextList(item))
    ? undefined
    : invalid(path, 'must be names with texts');

const isTextList = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');

/** An object with these fields and no others; `required` must be there. */
export const object =
  (fields: Readonly<Record<string, Field>>, required: readonly string[] = []): Field =>
  (value, path, profile) => {
    if (!isRecord(value)) return invalid(path, 'must be an object');
    const prefix = path === '' ? '' : `${path}.`;
    const missing = required.find((key) => value[key] === undefined);
    if (missing !== undefined) return { code: 'node.missing-field', reason: `${prefix}${missing} is missing` };
    return first(Object.keys(value), (key) => {
      if (value[key] === undefined) return undefined;
      const field = Object.hasOwn(fields, key) ? fields[key] : undefined;
      return field === undefined
        ? unsupported(`sing-box has no ${prefix}${key}`)
        : field(value[key], `${prefix}${key}`, profile);
    });
  };

/** An object whose `type` says which fields it has. */
export const variants = (fields: Readonly<Record<string, Field>>): Field => {
  const known = oneOf(...Object.keys(fields));
  return (value, path, profile) => {
    if (!isRecord(value)) return invalid(path, 'must be an object');
    const type = String(value['type']);
    return known(type, `${path}.type`, profile) ?? fields[type]?.(value, path, profile);
  };
};

/** The same where the capability table knows the types. */
export const capableVariants =
  (kind: CapabilityKind, fields: Readonly<Record<string, Field>>): Field =>
  (value, path, profile) => {
    if (!isRecord(value)) return invalid(path, 'must be an object');
    const type = String(value['type']);
    const lack = lacking(kind, type, profile);
    return lack === undefined ? fields[type]?.(value, path, profile) : unsupported(lack);
  };

/** One of the names of a kind in the capability table. */
export const capable =
  (kind: CapabilityKind): Field =>
  (value, _, profile) => {
    const lack = lacking(kind, String(value), profile);
    return lack === undefined ? undefined : unsupported(lack);
  };

/** Only where the engine has the feature, by the capability table; one that nobody has needs no field. */
export const can =
  (name: FeatureName, field?: Field): Field =>
  (value, path, profile) => {
    const lack = lacking('feature', name, profile);
    return lack === undefined ? field?.(value, path, profile) : unsupported(lack);
  };

/** Both must hold; the second looks at what the first has found to be well formed. */
export const also =
  (field: Field, more: Field): Field =>
  (value, path, profile) =>
    field(value, path, profile) ?? more(value, path, profile);

function first<T>(items: readonly T[], look: (item: T, index: number) => Complaint | undefined): Complaint | undefined {
  for (const [index, item] of items.entries()) {
    const complaint = look(item, index);
    if (complaint !== undefined) return complaint;
  }
  return undefined;
}

/** An address with prefix length, as Go's netip.ParsePrefix reads it. */
export const prefix = when(
  (value) => typeof value === 'string' && isPrefix(value),
  'must be an address with a prefix length',
);

function isPrefix(value: string): boolean {
  const [, address = '', bits = ''] = /^(.+)\/(0|[1-9]\d{0,2})$/.exec(value) ?? [];
  return address.includes(':') ? isIpv6(address) && Number(bits) <= 128 : isIpv4(address) && Number(bits) <= 32;
}

const isIpv4 = (value: string): boolean => /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/.test(value);

function isIpv6(value: string): boolean {
  const halves = value.split('::');
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  const tail = groups.at(-1) ?? '';
  const hasIpv4 = tail.includes('.');
  if (hasIpv4 && !isIpv4(tail)) return false;
  const hex = hasIpv4 ? groups.slice(0, -1) : groups;
  const count = hex.length + (hasIpv4 ? 2 : 0);
  return hex.every((group) => /^[0-9a-f]{1,4}$/i.test(group)) && (halves.length === 2 ? count < 8 : count === 8);
}
