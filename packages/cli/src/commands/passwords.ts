import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { encodeBase62, ProblemError } from '@sbox/core';
import { flag, text, type Call } from '../command.ts';
import { readText } from '../read-file.ts';

/** The password from a file or from standard input, never from the arguments: those are for everybody to see. */
export async function readPassword(call: Call, option = 'passwordFile'): Promise<string> {
  const file = text(call, option);
  if (file === undefined && (option !== 'passwordFile' || call.host.isTerminal))
    throw new ProblemError('command.usage', 'no password', {
      fix: `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} FILE   ·   or pipe it in`,
    });
  const content =
    file === undefined || file === '-'
      ? new TextDecoder().decode(await call.host.stdin())
      : await readText(path.resolve(call.host.cwd, file));
  // Editors and echo end it with a new line; what stands before that is the password, spaces and all.
  return content.replace(/\r?\n$/, '');
}

/** The password that was named, or a new one with --generate; `isNew` says to print it. */
export async function choosePassword(call: Call): Promise<{ readonly password: string; readonly isNew: boolean }> {
  if (!flag(call, 'generate')) return { password: await readPassword(call), isNew: false };
  return { password: encodeBase62(randomBytes(15)).slice(-20), isNew: true };
}
