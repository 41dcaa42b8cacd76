#!/usr/bin/env node
import { realpathSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { ProblemError, systemClock } from '@sbox/core';
import { runUntilSignal } from '@sbox/daemon/lifecycle';
import { commands } from './cli/commands.ts';
import { runProgram } from './cli/program.ts';

// A reader that goes away (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

async function main(): Promise<void> {
  await runUntilSignal(async (signal) => {
    process.exitCode = await runProgram(commands, process.argv.slice(2), {
      environment: process.env,
      programFile: realpathSync(process.argv[1] ?? ''),
      nodeFile: process.execPath,
      pid: process.pid,
      uid: process.getuid?.() ?? 0,
      // NODE_OPTIONS does not take this one.
      keepHeapSmall: () => setFlagsFromString('--optimize-for-size'),
      kill: (pid, name) => process.kill(pid, name),
      clock: systemClock,
      signal,
      stdin: process.stdin,
      stdout: (text) => process.stdout.write(text),
      stderr: (text) => process.stderr.write(text),
    });
  }, process);
}

main().catch((error: unknown) => {
  process.stderr.write(`error: ${error instanceof ProblemError ? error.message : String((error as Error).stack)}\n`);
  process.exitCode = 1;
});
