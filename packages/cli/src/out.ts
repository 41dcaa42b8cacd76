import { exitCodeOf, problemJson, problemText, tableText } from '@sbox/core';

export const outputFormats = ['table', 'json', 'yaml', 'name'] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** How a list is shown to people: a heading and what stands below it. */
export interface Column<T> {
  readonly title: string;
  readonly value: (row: T) => string | number | boolean | null | undefined;
}

/** Data goes to stdout, talk to stderr, so that a pipe gets only data. */
export interface Out {
  readonly format: OutputFormat;
  /** Rows as a table, or as they are for programs. `whole` is what JSON and YAML show (the page, not its rows). */
  rows<T>(rows: readonly T[], columns: readonly Column<T>[], whole?: unknown): Promise<void>;
  /** One thing; without a printer for people it is YAML. */
  thing(value: unknown, forPeople?: () => string): Promise<void>;
  /** Exact text or bytes, whatever the format. */
  raw(text: string): void;
  /** Words for people; silent with `--quiet`. */
  talk(line: string): void;
  /** A problem: what, why, what to do. Answers the exit code. */
  problem(error: unknown): number;
}

interface OutOptions {
  readonly format: OutputFormat;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

export function createOut({ format, quiet, verbose, stdout, stderr }: OutOptions): Out {
  const structured = async (value: unknown): Promise<void> => {
    if (format === 'json') stdout(`${JSON.stringify(value, undefined, 2)}\n`);
    else stdout((await import('./yaml-text.ts')).stringify(value, { lineWidth: 0 }));
  };
  return {
    format,
    async rows(rows, columns, whole = rows) {
      if (format === 'json' || format === 'yaml') await structured(whole);
      else if (format === 'name') for (const row of rows) stdout(`${String(columns[0]?.value(row) ?? '')}\n`);
      else stdout(table(rows, columns));
    },
    async thing(value, forPeople) {
      if (format === 'table' && forPeople) stdout(`${forPeople()}\n`);
      else if (format === 'name') stdout(`${nameOf(value)}\n`);
      else await structured(value);
    },
    raw: stdout,
    talk: (line) => {
      if (!quiet) stderr(`${line}\n`);
    },
    problem: (error) => {
      stderr(`${format === 'json' ? problemJson(error) : problemText(error, verbose)}\n`);
      return exitCodeOf(error);
    },
  };
}

const nameOf = (value: unknown): string => {
  const { name, id } = (value ?? {}) as { name?: unknown; id?: unknown };
  return typeof name === 'string' ? name : typeof id === 'string' ? id : '';
};

const table = <T>(rows: readonly T[], columns: readonly Column<T>[]): string => {
  const heading = columns.map(({ title }) => title);
  const cells = rows.map((row) => columns.map(({ value }) => String(value(row) ?? '-')));
  return `${tableText(heading, cells)}\n`;
};
