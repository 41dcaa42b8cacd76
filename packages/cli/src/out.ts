import { exitCodeOf, problemJson, problemText, redact, tableText } from '@sbox/core';
import { english, type Language } from './language/language.ts';

export const outputFormats = ['table', 'wide', 'json', 'yaml', 'name'] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** How a list is shown to people: a heading and what stands below it. */
export interface Column<T> {
  readonly title: string;
  readonly value: (row: T) => string | number | boolean | null | undefined;
  /** Behind the others, with `-o wide` only. */
  readonly isWide?: true;
  /** What is longer is cut, except with `-o wide`. */
  readonly mostChars?: number;
}

/** Data goes to stdout, talk to stderr, so that a pipe gets only data. */
export interface Out {
  /** `table` where people read, however wide it is. */
  readonly format: Exclude<OutputFormat, 'wide'>;
  /** Rows as a table, or as they are for programs. `whole` is what JSON and YAML show (the page, not its rows). */
  rows<T>(rows: readonly T[], columns: readonly Column<T>[], whole?: unknown): Promise<void>;
  /** One thing; without a printer for people, who prints in English, it is YAML. */
  thing(value: unknown, forPeople?: () => string): Promise<void>;
  /** Exact text or bytes, whatever the format. */
  raw(text: string): void;
  /** Words for people, in English; silent with `--quiet`. */
  talk(line: string): void;
  /** These words in the language of who reads, where data is shown in words. */
  text(english: string): string;
  /** A problem: what, why, what to do. Answers the exit code. */
  problem(error: unknown): number;
}

const mostLines = 1000;

interface OutOptions {
  readonly format: OutputFormat;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly language?: Language;
}

export function createOut({ format, quiet, verbose, stdout, stderr, language = english }: OutOptions): Out {
  const structured = async (value: unknown): Promise<void> => {
    if (format === 'json') stdout(`${JSON.stringify(value, undefined, 2)}\n`);
    else stdout((await import('./yaml-text.ts')).stringify(value, { lineWidth: 0 }));
  };
  /** Of many lines most are data. */
  const inLanguage = (shown: string): string =>
    shown.split('\n', mostLines + 1).length > mostLines ? shown : language.text(shown);
  return {
    format: format === 'wide' ? 'table' : format,
    async rows(rows, columns, whole = rows) {
      if (format === 'json' || format === 'yaml') await structured(whole);
      else if (format === 'name') for (const row of rows) stdout(`${nameOfRow(row, columns[0])}\n`);
      else stdout(table(rows, format === 'wide' ? wideColumns(rows, columns) : narrowColumns(columns)));
    },
    async thing(value, forPeople) {
      if ((format === 'table' || format === 'wide') && forPeople) stdout(`${inLanguage(forPeople())}\n`);
      else if (format === 'name') stdout(`${nameOf(value)}\n`);
      else await structured(value);
    },
    raw: stdout,
    talk: (line) => {
      if (!quiet) stderr(`${language.text(line)}\n`);
    },
    text: language.text,
    problem: (error) => {
      stderr(`${format === 'json' ? problemJson(error) : problemText(error, verbose, language)}\n`);
      return exitCodeOf(error);
    },
  };
}

const nameOf = (value: unknown): string => {
  const { name, id } = (value ?? {}) as { name?: unknown; id?: unknown };
  return typeof name === 'string' ? name : typeof id === 'string' ? id : '';
};

/** What other commands take for a row stands first in its table; before what has no name stands its time. */
const nameOfRow = <T>(row: T, first: Column<T> | undefined): string =>
  first === undefined || first.title === 'WHEN' ? nameOf(row) : String(first.value(row) ?? '');

const narrowColumns = <T>(columns: readonly Column<T>[]): Column<T>[] =>
  columns
    .filter(({ isWide }) => isWide !== true)
    .map(({ mostChars, ...column }) =>
      mostChars === undefined ? column : { ...column, value: (row) => cut(column.value(row), mostChars) },
    );

const cut = <V>(value: V, most: number): V | string =>
  typeof value === 'string' && value.length > most ? `${value.slice(0, most - 1).trimEnd()}…` : value;

function wideColumns<T>(rows: readonly T[], columns: readonly Column<T>[]): Column<T>[] {
  const [always = [], wide = []] = [false, true].map((isWide) =>
    columns.filter((one) => (one.isWide ?? false) === isWide),
  );
  return [...always, ...wide, ...moreColumns(rows, columns)];
}

/** Every plain field that no column shows yet; what is secret in it stays hidden, as in every table. */
function moreColumns<T>(rows: readonly T[], columns: readonly Column<T>[]): Column<T>[] {
  const plain = new Map(rows.map((row) => [row, plainFields(row)]));
  const keys = [...new Set([...plain.values()].flatMap((fields) => [...fields.keys()]))];
  const cellOf = (row: T, key: string): string | undefined => plain.get(row)?.get(key);
  const titleOf = (key: string): string => key.toUpperCase().replaceAll('_', ' ');
  const isShown = (key: string): boolean =>
    columns.some(
      ({ title, value }) =>
        title === titleOf(key) || rows.every((row) => String(value(row) ?? '') === (cellOf(row, key) ?? '')),
    );
  return keys.filter((key) => !isShown(key)).map((key) => ({ title: titleOf(key), value: (row) => cellOf(row, key) }));
}

const plainFields = (row: unknown): ReadonlyMap<string, string> =>
  new Map(
    Object.entries((redact(row) ?? {}) as Readonly<Record<string, unknown>>).flatMap(([key, value]) =>
      ['string', 'number', 'boolean'].includes(typeof value) ? [[key, String(value)] as const] : [],
    ),
  );

const table = <T>(rows: readonly T[], columns: readonly Column<T>[]): string => {
  const heading = columns.map(({ title }) => title);
  const cells = rows.map((row) => columns.map(({ value }) => String(value(row) ?? '-')));
  return `${tableText(heading, cells)}\n`;
};
