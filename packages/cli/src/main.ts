#!/usr/bin/env node
import { buffer } from 'node:stream/consumers';
import { systemClock } from '@sbox/core';
import { commands } from './commands.ts';
import { runProgram } from './program.ts';

// A reader that goes away (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

const controller = new AbortController();
const stop = (): void => {
  if (controller.signal.aborted) process.exit(130);
  controller.abort();
  setTimeout(() => process.exit(1), 15_000).unref();
};
process.on('SIGINT', stop);
process.on('SIGTERM', stop);

process.exitCode = await runProgram(commands, process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  node: { path: process.execPath, version: process.versions.node },
  clock: systemClock,
  isTerminal: process.stdout.isTTY && process.env['TERM'] !== 'dumb',
  signal: controller.signal,
  stdout: (text) => process.stdout.write(text),
  stderr: (text) => process.stderr.write(text),
  stdin: async () => await buffer(process.stdin),
});
process.off('SIGINT', stop);
process.off('SIGTERM', stop);
