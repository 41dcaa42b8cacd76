import type { spawn as nodeSpawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { redactText } from '@sbox/core';
import type { LookResult } from './probe-state.ts';

export interface ExecDeps {
  readonly spawn: typeof nodeSpawn;
  readonly kill: (pid: number, signal: NodeJS.Signals) => void;
  /** Programs that this server's settings allow, by absolute path. */
  readonly allowed: readonly string[];
}

const maxWords = 300;

/**
 * Runs a program that the server's own settings name: no shell, nothing in its environment, and at its time limit it is
 * killed with all that it started. Good when it ends with 0.
 */
export async function lookByExec(deps: ExecDeps, command: readonly string[], limit: AbortSignal): Promise<LookResult> {
  const [program = '', ...args] = command;
  if (!deps.allowed.includes(program)) {
    return { ok: null, detail: `${program} is not run: this server's setting apply.exec_probes does not name it` };
  }
  limit.throwIfAborted();
  const child = deps.spawn(program, args, { detached: true, cwd: '/', env: {}, stdio: ['ignore', 'pipe', 'pipe'] });
  // Heard of from the start: where no descriptor is free there are no pipes, and the error comes alone.
  const ended = new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    // Not `close`: what it left running could hold its output open for ever.
    child.once('exit', (code, signal) => resolve(code === null ? `was ended by ${signal}` : `ended with ${code}`));
  });
  let said = '';
  const outputs: readonly (Readable | undefined)[] = [child.stdout, child.stderr];
  for (const output of outputs) {
    output?.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-maxWords * 4)));
  }
  const endGroup = (): void => {
    try {
      if (child.pid !== undefined) deps.kill(-child.pid, 'SIGKILL');
    } catch {
      // Nobody of its group is left.
    }
  };
  limit.addEventListener('abort', endGroup, { once: true });
  try {
    const how = await ended;
    limit.throwIfAborted();
    const words = redactText(said.trim().split('\n').at(-1) ?? '').slice(0, maxWords);
    return { ok: how === 'ended with 0', detail: `${program} ${how}${words === '' ? '' : `: ${words}`}` };
  } finally {
    limit.removeEventListener('abort', endGroup);
    endGroup();
    for (const output of outputs) output?.destroy();
  }
}
