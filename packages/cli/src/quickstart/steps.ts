import { isoTime, printDuration, type Clock } from '@sbox/core';
import type { Host } from '../command.ts';
import type { Out } from '../out.ts';

/** What a step found out, for programs; `text` is for people. */
export interface StepResult {
  readonly text: string;
  readonly data?: Readonly<Record<string, unknown>>;
  /** The step went on with less than it wanted. */
  readonly warning?: true;
}

export interface Steps {
  /** Runs one named step, prints it when it is done, and answers what it made. */
  run<T>(name: string, doing: string, work: () => Promise<readonly [T, StepResult]>): Promise<T>;
  /** Milliseconds since the first step. */
  elapsed(): number;
  print(text: string): void;
  last(object: Readonly<Record<string, unknown>>): void;
}

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/**
 * Prints steps in one of three forms: a line that spins while it works on a terminal, a plain line with a time when it
 * is no terminal, one object a line for programs.
 */
export function createSteps(out: Out, host: Host): Steps {
  const startedMs = host.clock.monotonic();
  const json = out.format === 'json';
  const spins = host.isTerminal && !json;
  const line = (object: unknown): void => host.stdout(`${JSON.stringify(object)}\n`);
  return {
    elapsed: () => host.clock.monotonic() - startedMs,
    print: (text) => {
      if (!json) host.stdout(`${out.text(text)}\n`);
    },
    last: (object) => {
      if (json) line(object);
    },
    async run(name, doing, work) {
      const beganMs = host.clock.monotonic();
      using _spinner = spins ? startSpinner(out.text(doing), host) : undefined;
      const [made, { text, data, warning }] = await work();
      const ms = Math.round(host.clock.monotonic() - beganMs);
      _spinner?.[Symbol.dispose]();
      if (json) line({ step: name, ms, ...data });
      else host.stdout(stepLine(host.clock, spins, warning ? '!' : '✔', `${name.padEnd(12)} ${out.text(text)}`, ms));
      return made;
    },
  };
}

const stepLine = (clock: Clock, spins: boolean, mark: string, text: string, ms: number): string =>
  spins
    ? `  ${mark} ${text}   ${printDuration(ms)}\n`
    : `${isoTime(clock.now())} ${mark} ${text} (${printDuration(ms)})\n`;

function startSpinner(doing: string, host: Host): Disposable {
  let turn = 0;
  const draw = (): void => {
    host.stdout(`\r  ${frames[turn % frames.length] ?? ''} ${doing}`);
    turn += 1;
  };
  draw();
  const timer = setInterval(draw, 100);
  timer.unref();
  return {
    [Symbol.dispose]() {
      clearInterval(timer);
      host.stdout('\r\u001B[2K');
    },
  };
}
