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
  /** Throws away what was written too fast since the last call, so long ago; says how many lines. */
  trim(elapsedMs: number): Promise<number>;
  /**
   * Keeps the file below its limit: copied to `.1` and cut, as its writer goes on appending to the same file; `.1`
   * becomes `.2` and so on.
   */
  rotate(): Promise<void>;
  /** Removes old files, `keep` excepted, when their room is needed. */
  prune(keep: number): Promise<void>;
}

export interface LogLimits {
  readonly maxBytes: number;
  /** Old files beside the one that is written. */
  readonly files: number;
  readonly linesPerSecond: number;
}

/** fleet.md's numbers for what one engine may leave on a disk. */
export const logDefaults: LogLimits = { maxBytes: 10 * 1024 * 1024, files: 5, linesPerSecond: 1000 };

const maxReadBytes = 64 * 1024;
/** The end of what is thrown away is kept: an engine says last why it ended. */
const lastBytes = 16 * 1024;
const [chunkBytes, maxScanBytes] = [256 * 1024, 32 * 1024 * 1024];
const lineFeed = 10;

export function createLogFile(file: string, { maxBytes, files, linesPerSecond }: LogLimits): LogFile {
  /** Up to here lines were counted. */
  let counted: number | undefined;
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

  async function trim(elapsedMs: number): Promise<number> {
    const end = await size();
    const start = counted === undefined || counted > end ? end : counted;
    counted = end;
    const allowed = Math.ceil((linesPerSecond * elapsedMs) / 1000);
    // A line has at least one byte: a log that is quiet is not even opened.
    if (linesPerSecond === 0 || end - start <= allowed) return 0;
    const { lines, cutAt } = await countLines(file, start, { end, allowed });
    if (lines <= allowed || end - cutAt <= lastBytes) return 0;
    const last = (await readFrom(end - lastBytes)).replace(/^[^\n]*\n/, '');
    const dropped = lines - allowed - last.split('\n').length + 1;
    await fs.truncate(file, cutAt);
    await fs.appendFile(file, `dropped ${dropped} lines: more than ${linesPerSecond} a second\n${last}`);
    counted = await size();
    return dropped;
  }

  async function rotate(): Promise<void> {
    if ((await size()) <= maxBytes) return;
    for (let number = files - 1; number >= 1; number -= 1) {
      await fs.rename(`${file}.${number}`, `${file}.${number + 1}`).catch(() => {});
    }
    try {
      if (files > 0) await copyToEnd(file, `${file}.1`);
    } finally {
      // On a full disk the copy fails, and then the room matters more than the old lines.
      await fs.truncate(file, 0);
      counted = 0;
    }
  }

  return {
    file,
    size,
    readFrom,
    trim,
    rotate,
    async open() {
      await fs.mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
      return await fs.open(file, 'a', 0o600);
    },
    async tail(lines) {
      const text = redactText(plainText(await readFrom(0)));
      return text.split(/\r?\n/).filter(Boolean).slice(-lines);
    },
    async prune(keep) {
      for (let number = keep + 1; number <= files; number += 1) await fs.rm(`${file}.${number}`, { force: true });
    },
  };
}

/** How many lines there are from a place on, and where the last one ends that is allowed. */
async function countLines(
  file: string,
  start: number,
  { end, allowed }: { end: number; allowed: number },
): Promise<{ lines: number; cutAt: number }> {
  const handle = await fs.open(file, 'r');
  try {
    const chunk = Buffer.alloc(chunkBytes);
    let [lines, cutAt, at] = [0, start, start];
    while (at < end && at - start < maxScanBytes) {
      const { bytesRead } = await handle.read(chunk, 0, Math.min(chunkBytes, end - at), at);
      if (bytesRead === 0) break;
      for (let index = chunk.indexOf(lineFeed); index !== -1 && index < bytesRead;) {
        if ((lines += 1) <= allowed) cutAt = at + index + 1;
        index = chunk.indexOf(lineFeed, index + 1);
      }
      at += bytesRead;
    }
    // Of a flood only the beginning is counted; the rest is taken to be like it.
    return { lines: Math.round((lines * (end - start)) / Math.max(1, at - start)), cutAt };
  } finally {
    await handle.close();
  }
}

/** Goes on until there is nothing more, so that only what is written in the very last moment is lost by a cut. */
async function copyToEnd(from: string, to: string): Promise<void> {
  const source = await fs.open(from, 'r');
  try {
    const target = await fs.open(to, 'w', 0o600);
    try {
      const chunk = Buffer.alloc(chunkBytes);
      for (;;) {
        const { bytesRead } = await source.read(chunk, 0, chunkBytes, null);
        if (bytesRead === 0) return;
        await target.write(chunk, 0, bytesRead);
      }
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}
