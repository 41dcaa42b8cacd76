import { ProblemError } from '@sbox/core';
import { parseVersion, singBox, type EngineVersion } from './commands.ts';
import { oldestMinor } from '../supported-lines.ts';

export interface FoundEngine extends EngineVersion {
  readonly path: string;
}

export interface EngineSearch {
  /** The file that a setting or an option names; nothing else is tried then. */
  readonly named?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Standard output of a program, undefined when it could not be started or failed. */
  readonly run: (file: string, args: readonly string[]) => Promise<string | undefined>;
}

/**
 * The sing-box to use, by one rule for all programs: the one that is named, else `SBOX_SING_BOX`, else the first on PATH
 * that is new enough.
 * @throws ProblemError `engine.not-found`; `engine.too-old` when the one that is named is too old.
 */
export async function findSingBox({ named, env, run }: EngineSearch): Promise<FoundEngine> {
  const wanted = named ?? (env['SBOX_SING_BOX'] || undefined);
  const candidates = wanted === undefined ? onPath(env['PATH']) : [wanted];
  for (const path of candidates) {
    const found = parseVersion((await run(path, singBox.versionCommand().args)) ?? '');
    if (!found) continue;
    if (isNewEnough(found.version)) return { path, ...found };
    if (wanted !== undefined) throw new ProblemError('engine.too-old', `${path} is sing-box ${found.version}`);
  }
  throw new ProblemError(
    'engine.not-found',
    wanted === undefined ? 'looked for sing-box on PATH' : `${wanted} is no sing-box that runs here`,
  );
}

const onPath = (path: string | undefined): string[] =>
  (path ?? '').split(':').flatMap((directory) => (directory.startsWith('/') ? [`${directory}/sing-box`] : []));

const isNewEnough = (version: string): boolean => {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 1 || minor >= oldestMinor;
};
