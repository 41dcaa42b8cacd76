import { chmod, lchown, lstat, readdir } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import path from 'node:path';
import { ownEntries } from './own-entries.ts';
import type { Repair, Step } from './step.ts';

/** Files that hold keys or credentials. */
const isSecret = (name: string): boolean => /^(agent\.key.*|identity\.json|config\.json|slot\.json)$/.test(name);

/** Everything in the state directory belongs to the owner of the directory, who may use it, and nobody else may write. */
export const permissions: Repair = {
  name: 'permissions',
  find: async ({ scene: { stateDir, uid } }) => {
    const root = await lstat(stateDir).catch(() => undefined);
    if (root === undefined) return [];
    if (!root.isDirectory()) return [{ what: `${stateDir} is no directory: move it away, or set state_dir` }];
    const owner = uid === 0 ? { uid: root.uid, gid: root.gid } : undefined;
    const found = await ownEntries(stateDir);
    // A directory that holds nothing of an agent may be somebody else's, and was named by mistake.
    const isOurs = found.length > 0 || (await readdir(stateDir).catch(() => [''])).length === 0;
    const entries = isOurs ? [{ file: stateDir, stats: root }, ...found] : [];
    return entries.flatMap(({ file, stats }) => mend(file, stats, owner));
  },
};

function mend(file: string, stats: Stats, owner: { uid: number; gid: number } | undefined): Step[] {
  const steps: Step[] = [];
  // A second name of a file elsewhere, which root must not hand over because it was linked here.
  if (stats.isFile() && stats.nlink > 1) return steps;
  if (owner !== undefined && stats.uid !== owner.uid) {
    const act = async (): Promise<void> => await lchown(file, owner.uid, owner.gid);
    steps.push({ what: `give ${file} to user ${owner.uid}, who owns the state directory`, act });
  }
  const wanted = wantedMode(file, stats);
  if (wanted !== undefined && wanted !== (stats.mode & 0o777)) {
    const act = async (): Promise<void> => await chmod(file, wanted);
    steps.push({ what: `set the mode of ${file} to ${wanted.toString(8)}`, act });
  }
  return steps;
}

/** Undefined for what has no mode of its own, and for the socket, which its group may use. */
function wantedMode(file: string, stats: Stats): number | undefined {
  const mode = stats.mode & 0o777;
  if (stats.isDirectory()) return (mode | 0o700) & ~0o022;
  if (!stats.isFile()) return undefined;
  return isSecret(path.basename(file)) ? (mode | 0o600) & ~0o077 : (mode | 0o600) & ~0o022;
}
