import { isDeepStrictEqual } from 'node:util';
import { isRedacted, redactedMark } from '@sbox/core';
import { isRecord } from '../local/document-file.ts';
import type { Path } from './yaml-file.ts';

/** One place where two values differ; what is not there is left out. */
export interface Difference {
  readonly path: Path;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** The order of fields says nothing, that of lists does. */
export const isSame = (one: unknown, other: unknown): boolean => isDeepStrictEqual(one, other);

/** Every place where two values differ, as deep as both of them go. */
export function differences(before: unknown, after: unknown, at: Path = []): Difference[] {
  if (isSame(before, after)) return [];
  if (isRecord(before) && isRecord(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
    return keys.flatMap((key) => differences(before[key], after[key], [...at, key]));
  }
  if (Array.isArray(before) && Array.isArray(after) && [...before, ...after].every(isRecord)) {
    const places = Array.from({ length: Math.max(before.length, after.length) }, (_, index) => index);
    return places.flatMap((index) => differences(before[index], after[index], [...at, index]));
  }
  return [
    {
      path: at,
      ...(before === undefined ? {} : { before }),
      ...(after === undefined ? {} : { after }),
    },
  ];
}

const isMarked = (text: unknown): boolean => typeof text === 'string' && text.includes(redactedMark);
/** As managers refuse to take it. */
const isHidden = (text: unknown): boolean => typeof text === 'string' && isRedacted(text);

/** Whether something in it is, or looks like, hidden. */
export const hasMark = (value: unknown): boolean => leaves(value, []).some(({ value: leaf }) => isMarked(leaf));

/** Where something hidden stands that nobody put in its place. */
export const hiddenPlaces = (value: unknown): Path[] =>
  leaves(value, []).flatMap(({ path, value: leaf }) => (isHidden(leaf) ? [path] : []));

function leaves(value: unknown, path: Path): { path: Path; value: unknown }[] {
  if (Array.isArray(value)) return value.flatMap((item: unknown, index) => leaves(item, [...path, index]));
  if (isRecord(value)) return Object.entries(value).flatMap(([key, item]) => leaves(item, [...path, key]));
  return [{ path, value }];
}

/**
 * What was meant by somebody who wrote down what was shown: the value that is hidden there. A part of a list is known by
 * all of what it shows, never by its number: things in front of it come and go. What is not known stays hidden.
 */
export function fillHidden(written: unknown, shown: unknown, real: unknown): unknown {
  if (isMarked(written)) return written === shown ? real : written;
  if (Array.isArray(written)) {
    if (!hasMark(written)) return written;
    const [all, reals] = [Array.isArray(shown) ? shown : [], Array.isArray(real) ? real : []];
    return written.map((item: unknown) => {
      const meant = all.flatMap((one: unknown, index) => (isSame(one, item) ? [reals[index] as unknown] : []));
      return meant.length > 0 && meant.every((one) => isSame(one, meant[0])) ? meant[0] : item;
    });
  }
  if (!isRecord(written)) return written;
  const [fields, realFields] = [isRecord(shown) ? shown : {}, isRecord(real) ? real : {}];
  const filled = Object.entries(written).map(([key, item]) => [key, fillHidden(item, fields[key], realFields[key])]);
  return Object.fromEntries(filled) as unknown;
}

/** A copy with the mark at some places, given as JSON of their paths. */
export function hidePlaces(value: unknown, places: ReadonlySet<string>, at: Path = []): unknown {
  if (places.size === 0) return value;
  if (places.has(JSON.stringify(at))) return redactedMark;
  if (Array.isArray(value)) return value.map((item: unknown, index) => hidePlaces(item, places, [...at, index]));
  if (!isRecord(value)) return value;
  const hidden = Object.entries(value).map(([key, item]) => [key, hidePlaces(item, places, [...at, key])]);
  return Object.fromEntries(hidden) as unknown;
}

/** What stands at a path. */
export const valueAt = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (part, step) =>
      typeof part === 'object' && part !== null ? (part as Record<PropertyKey, unknown>)[step] : undefined,
    value,
  );
