import path from 'node:path';

export interface EngineSearch {
  /** From settings: wins over everything. */
  readonly configured?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The directory of this program: a checkout around it may hold `.tools/bin/sing-box`. */
  readonly programDir: string;
  /** Of the agent: `sboxagent rescue --engine` puts a program there. */
  readonly stateDir: string;
}

/** The program that `sboxagent rescue --engine` put in; it wins until it is removed, because somebody needed it. */
export const rescuedEngine = (stateDir: string): string => path.join(path.resolve(stateDir), 'engine', 'sing-box');

/**
 * Where sing-box may be, best first: what a rescue put in, the configured file, `SBOX_SING_BOX`, `.tools/bin/sing-box` of a checkout, PATH. Of
 * the others one that was named explicitly is the only candidate: running another one instead would surprise.
 */
export function engineCandidates({ configured, environment, programDir, stateDir }: EngineSearch): string[] {
  const named = configured ?? environment['SBOX_SING_BOX'];
  const rescued = rescuedEngine(stateDir);
  if (named !== undefined) return [rescued, path.resolve(named)];
  return [
    rescued,
    ...withParents(programDir).map((directory) => path.join(directory, '.tools/bin/sing-box')),
    ...(environment['PATH'] ?? '')
      .split(path.delimiter)
      .filter((directory) => path.isAbsolute(directory))
      .map((directory) => path.join(directory, 'sing-box')),
  ];
}

/** The directory and its parents, six at most: no program of a checkout lies deeper. */
function withParents(directory: string): string[] {
  const found = [path.resolve(directory)];
  while (found.length < 6) found.push(path.dirname(found.at(-1) ?? '/'));
  return [...new Set(found)];
}
