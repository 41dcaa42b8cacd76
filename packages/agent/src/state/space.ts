import { lstat, readdir, stat, statfs } from 'node:fs/promises';
import path from 'node:path';

const mib = 1024 * 1024;
/** Enough for a version, its trial and the journal. */
const leastFreeBytes = 64 * mib;
/** What a server may come to need: versions, logs and engine builds. */
export const wantedFreeBytes = 200 * mib;
const maxEntries = 20_000;
/** A person needs to know only of these. */
const maxNamed = 3;

/** Of the file system that a directory is on. */
export interface Space {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

export async function readSpace(directory: string): Promise<Space> {
  const { bavail, blocks, bsize } = await statfs(directory);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}

/** On a small file system a tenth of it is enough: less than the usual is no sign that it is full. */
export const isFull = ({ freeBytes, totalBytes }: Space): boolean =>
  freeBytes < Math.min(leastFreeBytes, totalBytes / 10);

/** Where the file system begins that a directory is on. */
export async function findMount(directory: string): Promise<string> {
  const { dev } = await stat(directory);
  for (let at = path.resolve(directory); ; at = path.dirname(at)) {
    const above = path.dirname(at);
    if (above === at || (await stat(above)).dev !== dev) return at;
  }
}

/** What takes the most room below a directory, as `logs/edge.log (9.1 MiB)`; nothing is looked for through a link. */
export async function largestFiles(directory: string): Promise<string[]> {
  const found: { file: string; size: number }[] = [];
  const waiting = [directory];
  for (let at = waiting.pop(); at !== undefined && found.length < maxEntries; at = waiting.pop()) {
    const stats = await lstat(at).catch(() => undefined);
    if (stats?.isFile()) found.push({ file: path.relative(directory, at), size: stats.size });
    if (!stats?.isDirectory()) continue;
    const parent = at;
    waiting.push(...(await readdir(parent).catch(() => [])).map((name) => path.join(parent, name)));
  }
  return found
    .toSorted((a, b) => b.size - a.size)
    .slice(0, maxNamed)
    .filter(({ size }) => size >= mib / 10)
    .map(({ file, size }) => `${file} (${(size / mib).toFixed(1)} MiB)`);
}

/** What takes the room on a full disk, and where a person can make some, in a sentence. */
export async function describeFull(directory: string): Promise<string> {
  const mount = await findMount(directory);
  const largest = await largestFiles(directory);
  const held = largest.length === 0 ? 'hardly anything' : largest.join(', ');
  return `in ${directory} there is ${held}; make room on the file system at ${mount} (du -xah ${mount} | sort -h | tail)`;
}
