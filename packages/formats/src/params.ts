/**
 * The settings of one node as text, under one spelling for each (the share link's). Whatever form they came in, a
 * reader takes out what it understands; what is left belongs into the node's `extra`.
 */
export interface Params extends Iterable<[string, string]> {
  readonly size: number;
  get(name: string): string | undefined;
  has(name: string): boolean;
  set(name: string, value: string): unknown;
  delete(name: string): boolean;
  keys(): Iterable<string>;
}

/** The canonical name of each spelling. */
export type Spellings = ReadonlyMap<string, string>;

/** @param table canonical name → its other spellings; they count in any mix of cases, and are found fastest as they stand. */
export const spellings = (table: Readonly<Record<string, readonly string[]>>): Spellings =>
  new Map(
    Object.entries(table).flatMap(([name, others]) =>
      [name, ...others].flatMap((other) => [[other, name] as const, [other.toLowerCase(), name] as const]),
    ),
  );

/** Stores a value under its canonical name; the first of several spellings wins, the others stay under their own. */
export function addParam(params: Params, key: string, value: string, names: Spellings): void {
  const name = names.get(key) ?? names.get(key.toLowerCase()) ?? key;
  if (!params.get(name)) params.set(name, value);
  else if (name !== key && !params.has(key)) params.set(key, value);
}

/** Whether only the name is left, which is taken last: then nobody has to ask for each of the rarer settings. */
export const hasOnlyName = (params: Params): boolean => params.size === (params.has('name') ? 1 : 0);

/** Takes a value out; empty means that it was not set. */
export function takeText(params: Params, name: string): string | undefined {
  const value = params.get(name);
  if (value === undefined) return undefined;
  params.delete(name);
  return value === '' ? undefined : value;
}

const flags = new Map([
  ['1', true],
  ['true', true],
  ['yes', true],
  ['on', true],
  ['0', false],
  ['false', false],
  ['no', false],
  ['off', false],
  ['', false],
  ['none', false],
]);

/** Takes a yes or no out; a text that is neither stays where it is. */
export function takeFlag(params: Params, name: string): boolean | undefined {
  const value = params.get(name);
  if (value === undefined) return undefined;
  const flag = flags.get(value.trim().toLowerCase());
  if (flag !== undefined) params.delete(name);
  return flag;
}

/** Takes a whole number out that lies within the range; anything else but an empty text stays where it is. */
export function takeInt(params: Params, name: string, max: number = Number.MAX_SAFE_INTEGER): number | undefined {
  const text = params.get(name);
  if (text === undefined) return undefined;
  if (text === '') params.delete(name);
  const value = wholeNumber(text);
  if (value === undefined || value > max) return undefined;
  params.delete(name);
  return value;
}

export const wholeNumber = (text: string | undefined): number | undefined =>
  text !== undefined && /^\s*\d{1,15}\s*$/.test(text) ? Number(text) : undefined;

/** Takes a comma-separated list out, without empty items. */
export function takeList(params: Params, name: string): readonly string[] | undefined {
  const value = takeText(params, name);
  return value === undefined ? undefined : listOf(value);
}

export function listOf(text: string): readonly string[] | undefined {
  const first = text.trim();
  // Most lists are of one item.
  if (!first.includes(',')) return first === '' ? undefined : [first];
  const items = first
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
  return items.length === 0 ? undefined : items;
}

/** Copies the fields that have a value. */
export function setFields<T extends object>(target: T, fields: { readonly [Key in keyof T]?: T[Key] | undefined }): T {
  for (const key in fields) {
    const value = fields[key];
    if (value !== undefined) target[key] = value;
  }
  return target;
}
