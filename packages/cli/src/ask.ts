import { createInterface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';

/** A question on a terminal, and what was typed. An end of the input is an empty answer. */
export async function ask(question: string, input: Readable, output: Writable, signal: AbortSignal): Promise<string> {
  const terminal = createInterface({ input, output });
  const ended = new Promise<string>((resolve) => {
    terminal.once('close', () => resolve(''));
  });
  try {
    return await Promise.race([terminal.question(question, { signal }), ended]);
  } finally {
    terminal.close();
  }
}
