import type { Proc, ProcessIdentity } from './proc.ts';

/**
 * Engines of our own user whose command line names a file below a directory of ours: they are found even when the agent
 * lost power between starting one and writing its pid down. What other users run is none of ours, whatever it pretends.
 */
export const findProcessesWith = (
  proc: Pick<Proc, 'pids' | 'argumentsOf' | 'ownerOf' | 'ownUser' | 'identify'>,
  directory: string,
): ProcessIdentity[] =>
  proc.pids().flatMap((pid) => {
    const args = proc.argumentsOf(pid);
    const runsEngine =
      args[1] === 'run' && args.some((arg) => arg.startsWith(`${directory}/`) && arg.endsWith('.json'));
    const identity = runsEngine && proc.ownerOf(pid) === proc.ownUser() ? proc.identify(pid) : undefined;
    return identity === undefined ? [] : [identity];
  });
