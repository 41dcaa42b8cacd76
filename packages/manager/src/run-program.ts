import { execFile } from 'node:child_process';
import type { RunProgram } from './features/configs/engine-check.ts';

const maxOutputBytes = 1024 * 1024;

export const runProgram: RunProgram = async (file, args, timeoutMs, input) =>
  await new Promise((resolve) => {
    const options = { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: maxOutputBytes } as const;
    const child = execFile(file, [...args], options, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === 'number' ? error.code : -1) : 0;
      resolve({ code, stdout, stderr: stderr || (code === -1 ? (error?.message ?? '') : '') });
    });
    // A program that ends before it has read everything says why on its way out.
    child.stdin?.on('error', () => {});
    child.stdin?.end(input);
  });
