import { ProblemError, type Clock } from '@sbox/core';
import type { Out } from './out.ts';

/** What the command line may touch of this machine; tests hand in their own. */
export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** The Node that runs this, for starting programs of ours. */
  readonly node: { readonly path: string; readonly version: string };
  readonly clock: Clock;
  readonly isTerminal: boolean;
  /** Of the terminal, in characters; absent where there is none. */
  readonly terminalSize?: () => { readonly columns: number; readonly rows: number };
  readonly signal: AbortSignal;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
  readonly stdin: () => Promise<Uint8Array>;
  /** A question to who sits there, where somebody does. */
  readonly ask?: (question: string) => Promise<string>;
}

export type OptionValue = string | boolean | readonly string[] | undefined;

/** One call of a command: what was typed, and where to print. */
export interface Call {
  readonly host: Host;
  readonly out: Out;
  /** All commands of the program. */
  readonly commands: readonly CommandRow[];
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, OptionValue>>;
}

export interface OptionRow {
  /** As commander reads it: `-o, --output <format>`. */
  readonly flags: string;
  readonly summary: string;
  /** May be there several times, with one value each: arguments that follow are not taken for more of them. */
  readonly repeats?: true;
  /** Shown in help; the command itself applies it. */
  readonly preset?: string;
}

/** Everything about one command in a row; help, the program and the reference are made from the table of rows. */
export interface CommandRow {
  /** Words of the command, with its arguments: `config deploy <name>`. */
  readonly usage: string;
  readonly summary: string;
  /** True for commands that talk to a manager: they take `--server` and `--token-file`. */
  readonly remote?: true;
  /** True where `-o` names a file, as it did in the older program. */
  readonly hasOwnOutput?: true;
  readonly options?: readonly OptionRow[];
  readonly examples?: readonly string[];
  /** Loaded only when the command is called, so that `--help` is quick. Answers the exit code, 0 when it returns nothing. */
  readonly load: () => Promise<(call: Call) => Promise<number | void>>;
}

/** The value of an option that takes text. */
export const text = ({ options }: Call, name: string): string | undefined => {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
};

export const flag = ({ options }: Call, name: string): boolean => options[name] === true;

export const texts = ({ options }: Call, name: string): readonly string[] => {
  const value = options[name];
  return Array.isArray(value) ? (value as string[]) : typeof value === 'string' ? [value] : [];
};

/** The first argument and its like; the program has checked that they are there. */
export const arg = ({ args }: Call, index: number): string => args[index] ?? '';

/** A whole number as it was typed for `what`. @throws ProblemError `command.usage` */
export function wholeNumber(what: string, typed: string, { min = 1, max = Number.MAX_SAFE_INTEGER } = {}): number {
  const value = Number(typed);
  if (!/^\d+$/.test(typed) || value < min || value > max) {
    const range = max === Number.MAX_SAFE_INTEGER ? `from ${min} on` : `from ${min} to ${max}`;
    throw new ProblemError('command.usage', `${what} is "${typed}", not a whole number ${range}`, {
      fix: 'See the same command with --help.',
    });
  }
  return value;
}

/** Says that a request ended because the program was told to stop. */
export const stoppedDetail = 'stopped by a signal';
