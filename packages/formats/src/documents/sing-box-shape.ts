import { ProblemError } from '@sbox/core';
import { wholeNumber } from '../params.ts';
import { readReserved } from '../protocols/wireguard.ts';
import type { Fields, Shape } from './sing-box-fields.ts';

type ReadShape = (value: unknown) => unknown;

const maxItems = 1_024;

const readText: ReadShape = (value) =>
  typeof value === 'string'
    ? value
    : typeof value === 'number' || typeof value === 'boolean'
      ? String(value)
      : undefined;
const readInt: ReadShape = (value) =>
  typeof value === 'string'
    ? wholeNumber(value)
    : Number.isSafeInteger(value) && Number(value) >= 0
      ? value
      : undefined;
const readFlag: ReadShape = (value) =>
  typeof value === 'boolean'
    ? value
    : value === 'true' || value === 1
      ? true
      : value === 'false' || value === 0
        ? false
        : undefined;

const readTexts: ReadShape = (value) => {
  const items = (Array.isArray(value) ? value : [value]).map(readText);
  return items.length <= maxItems && !items.includes(undefined) ? items : undefined;
};

const readTextsByName: ReadShape = (value) => {
  const map = asRecord(value);
  if (map === undefined) return undefined;
  const entries = Object.entries(map).map(([name, item]) => [
    name,
    (readTexts(item) as string[] | undefined)?.join(', '),
  ]);
  return entries.length <= maxItems && entries.every(([, text]) => text !== undefined)
    ? Object.fromEntries(entries)
    : undefined;
};

const scalars: Readonly<Record<Extract<Shape, string>, ReadShape>> = {
  text: readText,
  int: readInt,
  flag: readFlag,
  texts: readTexts,
  lines: (value) => (readTexts(value) as string[] | undefined)?.join('\n'),
  ints3: (value) => readReserved(String(value)),
  'texts-by-name': readTextsByName,
  host: (value) => (Array.isArray(value) ? readTexts(value) : readText(value)),
  'flag-or-version': (value) =>
    readFlag(value) ??
    (asRecord(value) && readFields(asRecord(value) ?? {}, { enabled: 'flag', version: 'int' }, 'udp_over_tcp').known),
};

export const asRecord = (value: unknown): Readonly<Record<string, unknown>> | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;

export interface ReadFields {
  readonly known: Record<string, unknown>;
  /** What the table does not name, as text, under its path. */
  readonly unknown: readonly (readonly [string, string])[];
}

/** Reads the fields a table names; `null` is unset. @throws ProblemError `node.invalid-value` when one does not fit. */
export function readFields(source: Readonly<Record<string, unknown>>, fields: Fields, path: string): ReadFields {
  const known: Record<string, unknown> = {};
  const unknown: (readonly [string, string])[] = [];
  for (const [key, value] of Object.entries(source)) {
    if (value === null) continue;
    const name = path === '' ? key : `${path}.${key}`;
    const shape = Object.hasOwn(fields, key) ? fields[key] : undefined;
    if (shape === undefined) {
      unknown.push([name, typeof value === 'string' ? value : JSON.stringify(value)]);
      continue;
    }
    const read = readShape(value, shape, name, unknown);
    if (read === undefined) {
      const code = key.endsWith('port') ? 'node.invalid-port' : 'node.invalid-value';
      throw new ProblemError(code, `${name} does not have the form that sing-box wants`);
    }
    known[key] = read;
  }
  return { known, unknown };
}

function readShape(value: unknown, shape: Shape, name: string, unknown: (readonly [string, string])[]): unknown {
  if (typeof shape === 'string') return scalars[shape](value);
  const nested = (item: unknown, fields: Fields): unknown => {
    const record = asRecord(item);
    if (record === undefined) return undefined;
    const read = readFields(record, fields, name);
    unknown.push(...read.unknown);
    return read.known;
  };
  if ('fields' in shape) return nested(value, shape.fields);
  if (!Array.isArray(value) || value.length > maxItems) return undefined;
  const items = value.map((item) => nested(item, shape.listOf));
  return items.includes(undefined) ? undefined : items;
}
