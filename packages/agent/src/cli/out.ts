import { messageOf, ProblemError, problemRow, redactText, toProblem } from '@sbox/core';

export const outputFormats = ['table', 'json'] as const;
export type OutputFormat = (typeof outputFormats)[number];

/** Data goes to stdout, talk to stderr, so that a pipe gets only data. */
export interface Out {
  readonly format: OutputFormat;
  /** The value for programs, on one line; the text for people. */
  thing(value: unknown, forPeople: () => string): void;
  /** Rows below a heading; control characters that came from outside cannot draw on the terminal. */
  table(heading: readonly string[], rows: readonly (readonly string[])[]): string;
  /** Words for people. */
  talk(line: string): void;
  /** A problem: what, why, what to do. Answers the exit code. */
  problem(error: unknown): number;
}

export interface OutOptions {
  readonly format: OutputFormat;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

const printable = (cell: string): string => cell.replaceAll(/\p{Cc}/gu, ' ');

export const createOut = ({ format, stdout, stderr }: OutOptions): Out => ({
  format,
  thing: (value, forPeople) => {
    const body = format === 'json' ? JSON.stringify(value) : forPeople();
    if (body !== '') stdout(`${body.replace(/\n$/, '')}\n`);
  },
  table: (heading, rows) => {
    const lines = [heading, ...rows.map((row) => row.map(printable))];
    const widths = heading.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
    return lines
      .map((line) =>
        line
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd(),
      )
      .join('\n');
  },
  talk: (line) => {
    stderr(`${line}\n`);
  },
  problem: (error) => {
    stderr(`${format === 'json' ? problemJson(error) : problemText(error)}\n`);
    return error instanceof ProblemError ? problemRow(error.code).exit : 1;
  },
});

/** `error: what`, `cause: why`, `fix: what to do`; a bug also says so. */
function problemText(error: unknown): string {
  if (!(error instanceof ProblemError)) {
    const stack = error instanceof Error ? `\n${redactText(error.stack ?? '')}` : '';
    return `error: ${redactText(messageOf(error))}\ncause: this is a bug in sbox\nfix:   report what is printed here${stack}`;
  }
  const { title } = problemRow(error.code);
  const headline = error.code === 'remote.failed' ? error.message : title;
  const cause = headline === error.message ? error.code : redactText(error.message);
  return `error: ${headline.charAt(0).toLowerCase()}${headline.slice(1)}\ncause: ${cause}\nfix:   ${error.fix}`;
}

function problemJson(error: unknown): string {
  if (!(error instanceof ProblemError)) {
    return JSON.stringify({ error: { code: 'internal.error', message: redactText(messageOf(error)) } });
  }
  const { code, title, detail, fix, details } = toProblem(error);
  return JSON.stringify({ error: { code, title, message: redactText(detail), fix, ...(details ? { details } : {}) } });
}
