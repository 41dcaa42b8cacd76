import { exitCodeOf, problemJson, problemText, tableText } from '@sbox/core';

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

export const createOut = ({ format, stdout, stderr }: OutOptions): Out => ({
  format,
  thing: (value, forPeople) => {
    const body = format === 'json' ? JSON.stringify(value) : forPeople();
    if (body !== '') stdout(`${body.replace(/\n$/, '')}\n`);
  },
  table: tableText,
  talk: (line) => {
    stderr(`${line}\n`);
  },
  problem: (error) => {
    // The agent's commands have no --verbose: a bug there is seen once, on somebody's server.
    stderr(`${format === 'json' ? problemJson(error) : problemText(error, true)}\n`);
    return exitCodeOf(error);
  },
});
