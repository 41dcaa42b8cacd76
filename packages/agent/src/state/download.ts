import path from 'node:path';
import { ProblemError } from '@sbox/core';
import type { ContentStream } from '../order.ts';
import { isDiskProblem, type Disk } from './disk.ts';
import type { LargeFiles } from './large-files.ts';

export interface Download {
  readonly digest: string;
  readonly size: number;
  /** Where it lies when it is complete. */
  readonly file: string;
  readonly mode: number;
  /** Where it lies until then; beside the file by default. */
  readonly part?: string;
  /** What came so far is kept for the next try. Only where a digest names the same bytes at any time. */
  readonly isResumable: boolean;
  readonly open: (offset: number, signal: AbortSignal) => Promise<ContentStream>;
  readonly signal: AbortSignal;
}

export interface DownloadDeps {
  readonly disk: Pick<Disk, 'remove'>;
  readonly files: LargeFiles;
}

/** Written and synced at once; what a crash can cost. */
const stepBytes = 1024 * 1024;
/** Left for the journal and the logs: a full disk would keep the agent from writing down what it does. */
const spareBytes = 32 * 1024 * 1024;

/** The unfinished file of a content. */
export const partOf = (file: string): string => `${file}.part`;
/** A part that nobody went on with for so long is given up. */
export const partAgeMs = 24 * 3_600_000;

/**
 * Brings large content into a file, in flat memory. Nothing gets its final name before all of its bytes were read back
 * from the disk and fit the digest, so that pieces of two contents are never taken for one.
 * @throws ProblemError `blob.digest-mismatch`, `blob.fetch-failed`, `disk.full`
 */
export async function download(deps: DownloadDeps, job: Download): Promise<void> {
  const part = job.part ?? partOf(job.file);
  let held = job.isResumable ? ((await deps.files.facts(part))?.size ?? 0) : 0;
  if (held > job.size) held = 0;
  await refuseWhenFull(deps, job, held);
  try {
    await fill(deps, job, part, held);
    // What lay here before may be what is wrong: once more from the beginning, before anybody is blamed.
    if (held > 0 && (await deps.files.digestOf(part, job.signal)) !== job.digest) await fill(deps, job, part, 0);
    const found = await deps.files.digestOf(part, job.signal);
    if (found !== job.digest) {
      throw new ProblemError('blob.digest-mismatch', `expected ${job.size} bytes with ${job.digest}, got ${found}`);
    }
    await deps.files.publish(part, job.file, job.mode);
  } catch (error) {
    const isLost =
      !job.isResumable ||
      isDiskProblem(error) ||
      (error instanceof ProblemError && error.code === 'blob.digest-mismatch');
    if (isLost) await deps.disk.remove(part).catch(() => {});
    throw error;
  }
}

async function refuseWhenFull({ files }: DownloadDeps, { size, file }: Download, held: number): Promise<void> {
  const free = await files.freeBytes(path.dirname(file));
  const wanted = size - held + spareBytes;
  if (free >= wanted) return;
  throw new ProblemError('disk.full', `${mib(wanted)} MiB are needed, ${mib(free)} MiB are free`);
}

const mib = (bytes: number): number => Math.ceil(bytes / 1024 / 1024);

async function fill({ files }: DownloadDeps, { size, digest, open, signal }: Download, part: string, from: number) {
  if (from === size && size > 0) return;
  const stream = await open(from, signal);
  if (stream.offset !== 0 && stream.offset !== from) {
    throw new ProblemError('blob.fetch-failed', `asked for byte ${from}, got byte ${stream.offset}`);
  }
  let at = stream.offset;
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  const flush = async (): Promise<void> => {
    await files.writeAt(part, at, Buffer.concat(waiting));
    at += waitingBytes;
    [waiting, waitingBytes] = [[], 0];
  };
  try {
    for await (const chunk of stream.chunks) {
      signal.throwIfAborted();
      waiting.push(chunk);
      waitingBytes += chunk.length;
      if (at + waitingBytes > size) {
        throw new ProblemError('blob.digest-mismatch', `expected ${size} bytes with ${digest}, got more`);
      }
      if (waitingBytes >= stepBytes) await flush();
    }
  } catch (error) {
    // A link that breaks every few hundred kilobytes gets there too.
    if (waitingBytes > 0 && !isDiskProblem(error) && at + waitingBytes <= size) await flush();
    throw error;
  }
  await flush();
  if (at < size) throw new ProblemError('blob.fetch-failed', `it ended after ${at} of ${size} bytes`);
}
