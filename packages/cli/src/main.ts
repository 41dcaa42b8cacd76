#!/usr/bin/env node
import { isatty } from 'node:tty';
import { version } from './version.ts';

const argv = process.argv.slice(2);

// Scripts ask for it often, and it needs nothing of the rest.
if (argv.length === 1 && ['--version', '-V'].includes(argv[0] ?? '')) process.stdout.write(`${version}\n`);
else await start();

async function start(): Promise<void> {
  const [{ systemClock }, { commands }, { completeCommand, runProgram }] = await Promise.all([
    import('@sbox/core'),
    import('./commands.ts'),
    import('./program.ts'),
  ]);
  // A reader that goes away (`| head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });

  const controller = new AbortController();
  const { signal } = controller;
  const stop = (): void => {
    if (signal.aborted) process.exit(130);
    controller.abort();
    setTimeout(() => process.exit(1), 15_000).unref();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);

  process.exitCode = await runProgram(commands, argv, {
    env: process.env,
    cwd: process.cwd(),
    node: { path: process.execPath, version: process.versions.node },
    clock: systemClock,
    isTerminal: process.stdout.isTTY && process.env['TERM'] !== 'dumb',
    terminalSize: () => ({ columns: process.stdout.columns || 80, rows: process.stdout.rows || 24 }),
    signal,
    stdout: (text) => process.stdout.write(text),
    stderr: (text) => process.stderr.write(text),
    stdin: async () => await (await import('node:stream/consumers')).buffer(process.stdin),
    // Not process.stdin.isTTY: that opens it.
    ...(isatty(0)
      ? {
          ask: async (question) =>
            await (await import('./ask.ts')).ask(question, process.stdin, process.stderr, signal),
        }
      : {}),
  });
  // A shell waits for the end, not for connections that nobody needs any more.
  if (argv[0] === completeCommand) process.exit();
  process.off('SIGINT', stop);
  process.off('SIGTERM', stop);
}
