import { readdir, readFile, rm, stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import { ownEntries } from './own-entries.ts';
import type { Repair, Step } from './step.ts';

const mib = 1024 * 1024;
/** Enough for a version, its trial and the journal. */
const leastFreeBytes = 64 * mib;
/** Larger files of the state directory say nothing about others. */
const maxReadBytes = 4 * mib;

/** On a disk that is full: old logs, and content and engines that nothing refers to. `freeBytes`: what is left of it. */
export const createRoom = (freeBytes: (directory: string) => Promise<number>): Repair => ({
  name: 'room',
  find: async ({ scene: { stateDir } }) => {
    if ((await freeBytes(stateDir)) >= leastFreeBytes) return [];
    const steps = [...(await oldLogs(stateDir)), ...(await unreferenced(stateDir))];
    return steps.length > 0
      ? steps
      : [
          {
            what: `the disk of ${stateDir} is full, and nothing of the agent can go: make room elsewhere (du -xh / | sort -h)`,
          },
        ];
  },
});

export const room = createRoom(async (directory) => {
  const space = await statfs(directory).catch(() => undefined);
  return space === undefined ? Infinity : space.bavail * space.bsize;
});

const removal = async (file: string, why: string): Promise<Step> => {
  const { size } = await stat(file).catch(() => ({ size: 0 }));
  const what = `remove ${file} (${(size / mib).toFixed(1)} MiB): ${why}`;
  return { what, act: async () => await rm(file, { force: true }) };
};

async function oldLogs(stateDir: string): Promise<Step[]> {
  const directory = path.join(stateDir, 'logs');
  const names = (await readdir(directory).catch(() => [])).filter((name) => /\.\d+(\.(gz|zst))?$/.test(name));
  return await Promise.all(names.map(async (name) => await removal(path.join(directory, name), 'an old log')));
}

/** Content lies under its digest, and whatever needs it names the digest. */
async function unreferenced(stateDir: string): Promise<Step[]> {
  const named = await namedDigests(stateDir);
  const steps: Step[] = [];
  for (const folder of ['blobs/sha256', 'engines/sha256']) {
    const directory = path.join(stateDir, folder);
    for (const name of await readdir(directory).catch(() => [])) {
      const hex = /^[0-9a-f]{64}/.exec(name)?.[0];
      const isNeeded = hex === undefined || (named.has(hex) && name === hex);
      if (!isNeeded) steps.push(await removal(path.join(directory, name), 'nothing refers to it'));
    }
  }
  return steps;
}

/** All digests in the agent's own files: journal, order, slots. */
async function namedDigests(stateDir: string): Promise<ReadonlySet<string>> {
  const named = new Set<string>();
  for (const { file, stats } of await ownEntries(stateDir)) {
    const isRecord = /\/(slot\.json|[^/]+\.ndjson|accepted\.json)$/.test(file);
    if (!isRecord || stats.size > maxReadBytes) continue;
    const text = await readFile(file, 'latin1').catch(() => '');
    for (const [hex] of text.matchAll(/\b[0-9a-f]{64}\b/g)) named.add(hex);
  }
  return named;
}
