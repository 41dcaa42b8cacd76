import * as fs from 'node:fs/promises';
import path from 'node:path';
import { redactText } from '@sbox/core';
import { plainText } from '@sbox/engines/sing-box/run';

/** What an engine writes; it outlives the agent, so it is a file and never a pipe. */
export interface LogFile {
  readonly file: string;
  /** A descriptor for the engine's output, to be closed once it has been handed over. */
  open(): Promise<fs.FileHandle>;
  /** Where it ends now; what comes after is what the engine says next. */
  size(): Promise<number>;
  /** Text from a place on, the last 64 KiB of it. */
  readFrom(offset: number): Promise<string>;
  /** The last lines, secrets hidden. */
  tail(lines: number): Promise<string[]>;
  /** Keeps the file below its limit: copied to `.1` and cut, as its writer goes on appending to the same file. */
  rotate(): Promise<void>;
}

const maxReadBytes = 64 * 1024;

export function createLogFile(file: string, maxBytes: number): LogFile {
  const size = async (): Promise<number> => (await fs.stat(file).catch(() => undefined))?.size ?? 0;

  async function readFrom(offset: number): Promise<string> {
    const end = await size();
    // After a cut the file is shorter than it was.
    const start = Math.max(offset > end ? 0 : offset, end - maxReadBytes);
    const handle = await fs.open(file, 'r').catch(() => undefined);
    if (handle === undefined) return '';
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(end - start), 0, end - start, start);
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await handle.close();
    }
  }

  return {
    file,
    size,
    readFrom,
    async open() {
      await fs.mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
      return await fs.open(file, 'a', 0o600);
    },
    async tail(lines) {
      const text = redactText(plainText(await readFrom(0)));
      return text.split(/\r?\n/).filter(Boolean).slice(-lines);
    },
    async rotate() {
      if ((await size()) <= maxBytes) return;
      try {
        await fs.copyFile(file, `${file}.1`);
      } finally {
        // On a full disk the copy fails, and then the room matters more than the old lines.
        await fs.truncate(file, 0);
      }
    },
  };
}
