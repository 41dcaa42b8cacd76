import { messageOf, ProblemError, problemRow, toProblem } from '@sbox/core';
import { overlayCommand } from '../engines/overlay-command.ts';
import type { Call } from './command.ts';

/** `sboxagent overlay IN OUT`: the agent reads the report from stdout, or the problem document from the last line of stderr. */
export async function overlayRow({ args, host }: Call): Promise<number> {
  try {
    host.stdout(`${JSON.stringify(await overlayCommand(args, host.stdin))}\n`);
    return 0;
  } catch (error) {
    const problem = error instanceof ProblemError ? error : new ProblemError('command.failed', messageOf(error));
    host.stderr(`${JSON.stringify(toProblem(problem))}\n`);
    return problemRow(problem.code).exit;
  }
}
