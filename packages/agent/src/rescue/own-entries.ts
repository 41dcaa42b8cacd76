import type { Stats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import path from 'node:path';

export interface Entry {
  readonly file: string;
  readonly stats: Stats;
}

const maxEntries = 20_000;

/** What an agent makes in its state directory; beside them lie copies that were set aside, as `journal.ndjson.torn-…`. */
const ownNames = [
  'accepted.json',
  'addresses.json',
  'agent.key',
  'agent.lock',
  'agent.sock',
  'blobs',
  'engine',
  'engines',
  'hold',
  'identity.json',
  'imports.json',
  'inbox',
  'journal.ndjson',
  'logs',
  'procs',
  'quarantine',
  'slots',
  'trials',
  'trust.json',
  'work',
];

const isOwn = (name: string): boolean =>
  ownNames.some((own) => name === own || name.startsWith(`${own}.`)) || name.startsWith('.doctor-');

/** Everything in a state directory that is an agent's; whatever else lies there, because it was named by mistake, is not. */
export async function ownEntries(stateDir: string): Promise<Entry[]> {
  const found: Entry[] = [];
  const names = (await readdir(stateDir).catch(() => [])).filter(isOwn);
  const waiting = names.map((name) => path.join(stateDir, name));
  for (let file = waiting.pop(); file !== undefined && found.length < maxEntries; file = waiting.pop()) {
    const stats = await lstat(file).catch(() => undefined);
    if (stats === undefined) continue;
    found.push({ file, stats });
    if (!stats.isDirectory()) continue;
    const directory = file;
    waiting.push(...(await readdir(directory).catch(() => [])).map((name) => path.join(directory, name)));
  }
  return found;
}
