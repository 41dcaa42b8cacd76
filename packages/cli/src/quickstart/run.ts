import path from 'node:path';
import type { Call } from '../command.ts';
import { startChild, type Child } from './child.ts';
import type { Programs } from './programs.ts';
import type { Steps } from './steps.ts';

/** Everything the steps share. */
export interface Run {
  readonly call: Call;
  readonly steps: Steps;
  readonly dir: string;
  readonly programs: Programs;
  readonly running: AsyncDisposableStack;
}

/** What nodes are compared and proved with; nothing on the internet when the provider is the demo. */
export interface Targets {
  readonly probeUrls: readonly string[];
  readonly urltestUrl: string;
}

export async function spawnChild(
  run: Run,
  name: string,
  args: readonly string[],
  env: Record<string, string> = {},
  stopMs?: number,
): Promise<Child> {
  const { host } = run.call;
  return run.running.use(
    await startChild({
      name,
      command: run.programs.node,
      args: ['--disable-warning=ExperimentalWarning', ...args],
      env: { ...host.env, ...env },
      logFile: path.join(run.dir, 'logs', `${name}.log`),
      clock: host.clock,
      ...(stopMs === undefined ? {} : { stopMs }),
    }),
  );
}

export const childReadyMs = 20_000;
