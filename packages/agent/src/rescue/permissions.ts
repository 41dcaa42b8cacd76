import { chmod, lstat, open, readdir, readlink, realpath, type FileHandle } from 'node:fs/promises';
import { constants, type Stats } from 'node:fs';
import path from 'node:path';
import { ownEntries } from './own-entries.ts';
import type { Repair, Step } from './step.ts';

/** Files that hold keys or credentials. */
const isSecret = (name: string): boolean => /^(agent\.key.*|identity\.json|config\.json|slot\.json)$/.test(name);

/** Names that nobody else gives a file; `logs` and `work` are anybody's. */
const isMark = (name: string): boolean =>
  /^(accepted\.json|addresses\.json|agent\.(key|lock|sock)|identity\.json|journal\.ndjson|trust\.json|slots|procs)/.test(
    name,
  );

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
    const names = await readdir(stateDir).catch(() => ['']);
    if (names.length > 0 && !names.some(isMark)) return [];
    const change = owner === undefined ? byName : asRoot(await realpath(stateDir), stateDir);
    return [{ file: stateDir, stats: root }, ...found].flatMap(({ file, stats }) => mend(file, stats, owner, change));
  },
};

/** What of a file is changed, and how its file is found when it comes to that. */
type Change = (file: string, mode: number | undefined, owner: Owner | undefined) => Promise<void>;
interface Owner {
  readonly uid: number;
  readonly gid: number;
}

const byName: Change = async (file, mode) => {
  if (mode !== undefined) await chmod(file, mode);
};

/**
 * Who owns the state directory can put a link in the place of a file or of a folder at any moment, and root would follow
 * it: what was opened is changed, and only where the kernel says that it lies where it was looked at.
 */
const asRoot =
  (realDir: string, stateDir: string): Change =>
  async (file, mode, owner) => {
    const handle: FileHandle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const place = await readlink(`/proc/self/fd/${handle.fd}`);
      const stats = await handle.stat();
      if (place !== path.join(realDir, path.relative(stateDir, file)) || (stats.isFile() && stats.nlink > 1))
        throw new Error(`${file} is another one by now: left as it is`);
      if (owner !== undefined) await handle.chown(owner.uid, owner.gid);
      if (mode !== undefined) await handle.chmod(mode);
    } finally {
      await handle.close();
    }
  };

function mend(file: string, stats: Stats, owner: Owner | undefined, change: Change): Step[] {
  const steps: Step[] = [];
  // Whose a link or a socket is makes no difference: who owns the folder replaces it.
  if (stats.isSymbolicLink() || stats.isSocket()) return steps;
  // A second name of a file elsewhere, which root must not hand over because it was linked here.
  if (stats.isFile() && stats.nlink > 1) return steps;
  if (owner !== undefined && stats.uid !== owner.uid) {
    const act = async (): Promise<void> => await change(file, undefined, owner);
    steps.push({ what: `give ${file} to user ${owner.uid}, who owns the state directory`, act });
  }
  const wanted = wantedMode(file, stats);
  if (wanted !== undefined && wanted !== (stats.mode & 0o777)) {
    const act = async (): Promise<void> => await change(file, wanted, undefined);
    steps.push({ what: `set the mode of ${file} to ${wanted.toString(8)}`, act });
  }
  return steps;
}

/** Undefined for what has no mode of its own, and for the socket, which its group may use. */
function wantedMode(file: string, stats: Stats): number | undefined {
  const mode = stats.mode & 0o777;
  // Where anybody may write, nobody chose who may look; a group that may look was chosen.
  if (stats.isDirectory()) return (mode & 0o002) === 0 ? (mode | 0o700) & ~0o022 : 0o700;
  if (!stats.isFile()) return undefined;
  return isSecret(path.basename(file)) ? (mode | 0o600) & ~0o077 : (mode | 0o600) & ~0o022;
}
