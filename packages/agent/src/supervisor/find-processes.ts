import type { Proc, ProcessIdentity } from './proc.ts';

/**
 * Engines whose command line names a file below a directory of ours: nobody else starts programs with those, so that they
 * are found even when the agent lost power between starting one and writing its pid down.
 */
export const findProcessesWith = (proc: Proc, directory: string): ProcessIdentity[] =>
  proc.pids().flatMap((pid) => {
    const args = proc.argumentsOf(pid);
    const runsEngine =
      args[1] === 'run' && args.some((arg) => arg.startsWith(`${directory}/`) && arg.endsWith('.json'));
    const identity = runsEngine ? proc.identify(pid) : undefined;
    return identity === undefined ? [] : [identity];
  });
