import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { describeFull, isFull, readSpace } from '../state/space.ts';
import { ownEntries, type Entry } from './own-entries.ts';
import type { Repair, Step } from './step.ts';

const mib = 1024 * 1024;
/** Larger files of the state directory say nothing about others. */
const maxReadBytes = 4 * mib;

/**
 * On a disk that is full: old logs, and content and engines that nothing refers to. Beside an agent that runs only the
 * logs, for it may be about to refer to the rest, and takes that away by itself.
 */
export const createRoom = (
  isShort: (directory: string) => Promise<boolean>,
  { isBesideAgent = false } = {},
): Repair => ({
  name: 'room',
  find: async ({ scene: { stateDir } }) => {
    if (!(await isShort(stateDir))) return [];
    // They are never found through a link: what it leads to is somebody else's.
    const entries = await ownEntries(stateDir);
    const content = isBesideAgent ? [] : await unreferenced(stateDir, entries);
    const steps = [...oldLogs(stateDir, entries), ...content];
    return steps.length > 0
      ? steps
      : [
          {
            what: `the disk of ${stateDir} is full, and nothing of the agent can go: ${await describeFull(stateDir)}`,
          },
        ];
  },
});

const isShort = async (directory: string): Promise<boolean> => await readSpace(directory).then(isFull, () => false);

export const room = createRoom(isShort);
export const roomBesideAgent = createRoom(isShort, { isBesideAgent: true });

const removal = ({ file, stats }: Entry, why: string): Step => ({
  what: `remove ${file} (${(stats.size / mib).toFixed(1)} MiB): ${why}`,
  act: async () => await rm(file, { force: true }),
});

const filesIn = (directory: string, entries: readonly Entry[]): Entry[] =>
  entries.filter(({ file, stats }) => stats.isFile() && path.dirname(file) === directory);

const oldLogs = (stateDir: string, entries: readonly Entry[]): Step[] =>
  filesIn(path.join(stateDir, 'logs'), entries)
    .filter(({ file }) => /\.\d+(\.(gz|zst))?$/.test(file))
    .map((entry) => removal(entry, 'an old log'));

/** Content lies under its digest, and whatever needs it names the digest. */
async function unreferenced(stateDir: string, entries: readonly Entry[]): Promise<Step[]> {
  const named = await namedDigests(entries);
  return ['blobs/sha256', 'engines/sha256']
    .flatMap((folder) => filesIn(path.join(stateDir, folder), entries))
    .filter(({ file }) => {
      const name = path.basename(file);
      const hex = /^[0-9a-f]{64}/.exec(name)?.[0];
      return hex !== undefined && !(named.has(hex) && name === hex);
    })
    .map((entry) => removal(entry, 'nothing refers to it'));
}

/** All digests in the agent's own files: journal, order, slots. */
async function namedDigests(entries: readonly Entry[]): Promise<ReadonlySet<string>> {
  const named = new Set<string>();
  for (const { file, stats } of entries) {
    const isRecord = /\/(slot\.json|[^/]+\.ndjson|accepted\.json)$/.test(file);
    if (!isRecord || stats.size > maxReadBytes) continue;
    const text = await readFile(file, 'latin1').catch(() => '');
    for (const [hex] of text.matchAll(/\b[0-9a-f]{64}\b/g)) named.add(hex);
  }
  return named;
}
