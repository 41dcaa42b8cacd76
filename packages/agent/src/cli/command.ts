import type { Clock } from '@sbox/core';
import type { AgentSettings } from '../settings/schema.ts';
import type { Out } from './out.ts';

/** What the command line may touch of this machine; tests hand in their own. */
export interface Host {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly programFile: string;
  readonly nodeFile: string;
  readonly kill: (pid: number, signal: NodeJS.Signals) => void;
  readonly pid: number;
  readonly uid: number;
  /** Makes the heap of this process grow in small steps, at the price of a slower start. */
  readonly keepHeapSmall?: () => void;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

export type OptionValue = string | boolean | undefined;

/** One call of a command: what was typed, and where to print. */
export interface Call {
  readonly host: Host;
  readonly out: Out;
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, OptionValue>>;
  /** Reads the settings with the options of this call on top. @throws ProblemError `settings.invalid` */
  readonly settings: () => Promise<AgentSettings>;
}

export interface OptionRow {
  /** As commander reads it: `-o, --output <format>`. */
  readonly flags: string;
  readonly summary: string;
}

/** Everything about one command in a row; help, the program and the reference are made from the table. */
export interface CommandRow {
  /** Words of the command, with its arguments: `import <file>`. */
  readonly usage: string;
  readonly summary: string;
  readonly options?: readonly OptionRow[];
  readonly isHidden?: true;
  /** Loaded only when the command is called, so that `run` keeps nothing of the others in memory. */
  readonly load: () => Promise<(call: Call) => Promise<number | void>>;
}

/** The value of an option that takes text. */
export const text = ({ options }: Call, name: string): string | undefined => {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
};

export const flag = ({ options }: Call, name: string): boolean => options[name] === true;

/** An argument; the program has checked that the required ones are there. */
export const arg = ({ args }: Call, index: number): string => args[index] ?? '';
