import { readFile } from 'node:fs/promises';
import { messageOf, ProblemError } from '@sbox/core';

/** @throws ProblemError `file.not-found`, `file.unreadable` */
export async function readText(file: string): Promise<string> {
  return new TextDecoder().decode(await readBytes(file));
}

export async function readBytes(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'file.not-found' : 'file.unreadable';
    throw new ProblemError(code, `${file}: ${messageOf(error)}`, { cause: error });
  }
}
