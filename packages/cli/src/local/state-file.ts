import { access, mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, ProblemError } from '@sbox/core';
import type { Host } from '../command.ts';
import { writeWhole } from '../write-file.ts';
import { isRecord } from './document-file.ts';

/** A small file in which commands keep what they were told: named by a variable, else here, else the user's own. */
export interface StateFile {
  readonly variable: string;
  readonly name: string;
}

/** Where the file is, or would be made. */
export async function pathOf({ variable, name }: StateFile, host: Host, named?: string): Promise<string> {
  const wanted = named ?? (host.env[variable] || undefined);
  if (wanted !== undefined) return path.resolve(host.cwd, wanted);
  const home = host.env['XDG_CONFIG_HOME'] || path.join(host.env['HOME'] ?? host.cwd, '.config');
  const [here, users] = [path.join(host.cwd, name), path.join(home, 'sbox', name)];
  for (const file of [here, users]) if (await isThere(file)) return file;
  return here;
}

const isThere = async (file: string): Promise<boolean> =>
  await access(file).then(
    () => true,
    () => false,
  );

/**
 * What is in the file; nothing when there is none.
 * @throws ProblemError `file.unreadable`
 */
export async function readState(file: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'));
    if (isRecord(value)) return value;
    throw new SyntaxError('no JSON object');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new ProblemError('file.unreadable', `${file}: ${messageOf(error)}`, {
      cause: error,
      fix: 'Mend the file, or move it away to begin anew.',
    });
  }
}

export async function writeState(file: string, state: Readonly<Record<string, unknown>>): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeWhole(file, `${JSON.stringify(state, undefined, 2)}\n`);
}
