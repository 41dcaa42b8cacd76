import { constants, type Stats } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, ProblemError, type Clock } from '@sbox/core';

export interface FileRules {
  readonly maxBytes: number;
  /** Who may own the file, beside root. */
  readonly uid: number;
  /** How long size and time of the file must stay the same; 0 reads at once. */
  readonly settleMs: number;
}

export interface ReadFile {
  readonly content: Buffer;
  readonly stats: Stats;
}

const unsafe = (file: string, why: string): ProblemError =>
  new ProblemError('import.unsafe-file', `${path.basename(file)} ${why}`, { details: { file: path.basename(file) } });

/** What may be told from the outside of a file. @throws ProblemError `import.unsafe-file` */
function checkFile(file: string, stats: Stats, { maxBytes, uid }: FileRules): void {
  if (stats.isSymbolicLink()) throw unsafe(file, 'is a symbolic link');
  if (!stats.isFile()) throw unsafe(file, 'is no regular file');
  if (stats.uid !== 0 && stats.uid !== uid) throw unsafe(file, `belongs to user ${stats.uid}`);
  if ((stats.mode & 0o022) !== 0) throw unsafe(file, 'may be written by its group or by others');
  if (stats.size > maxBytes) throw unsafe(file, `is larger than ${maxBytes} bytes`);
}

const identical = (a: Stats, b: Stats): boolean =>
  a.ino === b.ino && a.dev === b.dev && a.size === b.size && a.mtimeMs === b.mtimeMs;

/**
 * A whole file, read only when nobody is still writing it. Undefined when it changed or went meanwhile: it is looked at
 * again. @throws ProblemError `import.unsafe-file`, `file.unreadable`
 */
export async function readImportFile(
  file: string,
  rules: FileRules,
  clock: Clock,
  signal: AbortSignal,
): Promise<ReadFile | undefined> {
  const before = await statOrNothing(file);
  if (!before) return undefined;
  checkFile(file, before, rules);
  if (rules.settleMs > 0) await clock.sleep(rules.settleMs, signal);
  // The file that is checked is the file that is read: a link or another file put there meanwhile is not followed.
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    (error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      if ((error as NodeJS.ErrnoException).code === 'ELOOP') throw unsafe(file, 'is a symbolic link');
      throw new ProblemError('file.unreadable', `${path.basename(file)}: ${messageOf(error)}`, { cause: error });
    },
  );
  if (!handle) return undefined;
  try {
    const stats = await handle.stat();
    checkFile(file, stats, rules);
    if (!identical(before, stats)) return undefined;
    const content = Buffer.alloc(stats.size);
    const { bytesRead } = await handle.read(content, 0, stats.size, 0);
    return bytesRead === stats.size && identical(stats, await handle.stat()) ? { content, stats } : undefined;
  } finally {
    await handle.close();
  }
}

async function statOrNothing(file: string): Promise<Stats | undefined> {
  try {
    return await lstat(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new ProblemError('file.unreadable', `${path.basename(file)}: ${messageOf(error)}`, { cause: error });
  }
}
