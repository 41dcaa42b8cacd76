import { spawn } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import path from 'node:path';
import { expect, test } from '@jest/globals';
import { runCommand } from './run-command.ts';

const urlOf = (file: string): string => pathToFileURL(path.join(import.meta.dirname, file)).href;

/** Opens files until there is no descriptor left, then starts programs. */
const script = `
import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { runCommand } from '${urlOf('run-command.ts')}';
import { lookByExec } from '${urlOf('../probe/exec-look.ts')}';
const program = '/bin/true';
const stop = AbortSignal.timeout(5000);
const run = [
  () => runCommand(spawn, { program, args: [], timeoutMs: 5000 }),
  () => lookByExec({ spawn, kill() {}, allowed: [program] }, [program], stop),
];
for (const each of run) await each();
try { for (;;) openSync('/dev/null'); } catch {}
const ends = [];
for (const each of run) ends.push(await each().then(() => 'ran', (error) => error.code));
await new Promise((resolve) => setTimeout(resolve, 10));
console.log(ends.join());
`;

test('without a free descriptor a program is not started, and whoever wanted it lives', async () => {
  const args = ['-c', 'ulimit -n 64; exec "$0" --input-type=module -e "$1"', process.execPath, script];
  const { code, stdout } = await runCommand(spawn, { program: '/bin/sh', args, timeoutMs: 20_000 });
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'EMFILE,EMFILE\n' });
});
