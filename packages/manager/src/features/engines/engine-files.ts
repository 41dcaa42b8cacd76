import { createHash, randomUUID } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import { isDigest, ProblemError } from '@sbox/core';
import { syncDirectory } from '@sbox/daemon/files';
import { buildInfoBytes, buildInfoMagic, readProgramFacts, type ProgramFacts } from './program-facts.ts';

/** A program that came, still under no name. */
export interface ReceivedProgram extends AsyncDisposable {
  readonly digest: string;
  readonly size: number;
  readonly facts: ProgramFacts;
  /** Gives it the name of its digest; durable when it resolves. Without it nothing stays. */
  keep(): Promise<void>;
}

/** Engine programs as files, by digest. */
export interface EngineFiles {
  /** Takes bytes as they come. @throws ProblemError `request.too-large`, `disk.full` */
  receive(bytes: AsyncIterable<Uint8Array>, maxBytes: number): Promise<ReceivedProgram>;
  /** Bytes from an offset on, fewer at the end; undefined when the file is gone. */
  read(digest: string, offset: number, length: number): Promise<Uint8Array | undefined>;
  remove(digest: string): Promise<void>;
}

/** Left for the database. */
const spareBytes = 64 * 1024 * 1024;
const chunkBytes = 1024 * 1024;
/** Written between two looks at how much is free. */
const lookBytes = 4 * 1024 * 1024;
const headBytes = 64;

/** Opens the directory; what a manager left behind that was killed while it received is removed. */
export async function openEngineFiles(directory: string): Promise<EngineFiles> {
  await fs.mkdir(directory, { recursive: true, mode: 0o700 });
  for (const name of await fs.readdir(directory)) {
    if (name.endsWith('.part')) await fs.rm(path.join(directory, name), { force: true });
  }
  const fileOf = (digest: string): string => {
    if (!isDigest(digest)) throw new ProblemError('engine.build-not-found', digest);
    return path.join(directory, digest.slice('sha256:'.length));
  };
  return {
    async receive(bytes, maxBytes) {
      const part = path.join(directory, `${randomUUID()}.part`);
      try {
        const written = await write(part, bytes, maxBytes);
        return {
          ...written,
          facts: await factsOf(part),
          async keep() {
            await fs.rename(part, fileOf(written.digest));
            await syncDirectory(directory);
          },
          [Symbol.asyncDispose]: async () => await fs.rm(part, { force: true }),
        };
      } catch (error) {
        await fs.rm(part, { force: true });
        throw error;
      }
    },
    async read(digest, offset, length) {
      const handle = await fs.open(fileOf(digest), constants.O_RDONLY).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined;
        throw error;
      });
      if (!handle) return undefined;
      try {
        const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, offset);
        return buffer.subarray(0, bytesRead);
      } finally {
        await handle.close();
      }
    },
    async remove(digest) {
      await fs.rm(fileOf(digest), { force: true });
      await syncDirectory(directory);
    },
  };
}

async function write(
  file: string,
  bytes: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<{ digest: string; size: number }> {
  const hash = createHash('sha256');
  const handle = await fs.open(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  let size = 0;
  let lookedAt = 0;
  try {
    await refuseWhenFull(file);
    for await (const chunk of bytes) {
      size += chunk.length;
      if (size > maxBytes) {
        throw new ProblemError('request.too-large', `the program is longer than ${maxBytes} bytes`, {
          details: { max_bytes: maxBytes },
        });
      }
      // Others write at the same time.
      if (size - lookedAt > lookBytes) {
        await refuseWhenFull(file);
        lookedAt = size;
      }
      hash.update(chunk);
      await handle.writeFile(chunk);
    }
    await handle.sync();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    throw new ProblemError('disk.full', 'no room is left for engines', { cause: error });
  } finally {
    await handle.close();
  }
  return { digest: `sha256:${hash.digest('hex')}`, size };
}

async function refuseWhenFull(file: string): Promise<void> {
  const { bavail, bsize } = await fs.statfs(path.dirname(file));
  const free = bavail * bsize - spareBytes - lookBytes;
  if (free < 0) throw new ProblemError('disk.full', `${-free} bytes too few are free for an engine`);
}

async function factsOf(file: string): Promise<ProgramFacts> {
  const handle = await fs.open(file, constants.O_RDONLY);
  try {
    const head = Buffer.alloc(headBytes);
    await handle.read(head, 0, headBytes, 0);
    const at = await findBuildInfo(file);
    if (at === undefined) return readProgramFacts(head, undefined);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(buildInfoBytes), 0, buildInfoBytes, at);
    return readProgramFacts(head, buffer.subarray(0, bytesRead));
  } finally {
    await handle.close();
  }
}

/** It lies at a multiple of 16; the same text elsewhere is the code that looks for it. */
async function findBuildInfo(file: string): Promise<number | undefined> {
  let before: Buffer = Buffer.alloc(0);
  let start = 0;
  for await (const chunk of createReadStream(file, { highWaterMark: chunkBytes })) {
    const window = Buffer.concat([before, chunk as Buffer]);
    for (let at = window.indexOf(buildInfoMagic); at >= 0; at = window.indexOf(buildInfoMagic, at + 1)) {
      if ((start + at) % 16 === 0) return start + at;
    }
    before = window.subarray(Math.max(0, window.length - buildInfoMagic.length + 1));
    start += window.length - before.length;
  }
  return undefined;
}
