import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemClock } from '@sbox/core';
import type { ListenPort } from '@sbox/engines/sing-box/run';
import { afterAll, describe, expect, test } from '@jest/globals';
import type { ControlAnswer } from '../engines/control-api.ts';
import { launch, type EngineProcess, type ProcessDeps } from './engine-process.ts';
import { createLogFile, logDefaults } from './log-file.ts';
import { createProc } from './proc.ts';
import { untilReady, type Readiness } from './ready.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'sbox-ready-'));
const proc = createProc();
const deps: ProcessDeps = {
  proc,
  clock: systemClock,
  spawn,
  kill: (pid, name) => void process.kill(pid, name),
  env: {},
  stopMs: 500,
  pollMs: 5,
};
const log = createLogFile(path.join(directory, 'log'), logDefaults);
const started: EngineProcess[] = [];
afterAll(async () => {
  for (const one of started) await one.stop();
  rmSync(directory, { recursive: true });
});

async function run(program: string, ...args: string[]): Promise<EngineProcess> {
  const child = await launch(deps, { program, args, cwd: directory, log });
  started.push(child);
  return child;
}

const port = (listen_port: number): ListenPort => ({
  tag: 'in',
  path: 'inbounds[0]',
  listen: '127.0.0.1',
  listen_port,
  network: 'tcp',
});

async function wait(process: EngineProcess, listens: ListenPort[], answer: ControlAnswer = 'ours'): Promise<Readiness> {
  const control = { ask: async () => await Promise.resolve(answer) };
  const awaited = { process, control: { address: '127.0.0.1:1', secret: '' }, listens, timeoutMs: 300, log };
  return await untilReady({ proc, clock: systemClock, control } as unknown as Parameters<typeof untilReady>[0], {
    ...awaited,
    logStart: await log.size(),
  });
}

const listening = (number: number): string[] => ['-e', `require('net').createServer().listen(${number}, '127.0.0.1')`];

async function takePort(): Promise<{ server: Server; number: number }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, number: (server.address() as AddressInfo).port };
}

describe('an engine', () => {
  test('is ready when it answers and has its port itself', async () => {
    const { server, number } = await takePort();
    await new Promise((resolve) => server.close(resolve));
    const child = await run(process.execPath, ...listening(number));
    for (;;) {
      const readiness = await wait(child, [port(number)]);
      if (readiness.kind === 'ready') break;
      expect(readiness.kind).toBe('late');
    }
    expect(await wait(child, [port(number)], 'nobody')).toMatchObject({ kind: 'late' });
    expect(await wait(child, [port(number)], 'other')).toMatchObject({ kind: 'refused' });
  });

  test('is not ready while somebody else has its port, and the words say who', async () => {
    const { server, number } = await takePort();
    const child = await run('/bin/sleep', '38');
    expect(await wait(child, [port(number)])).toEqual({
      kind: 'late',
      words: expect.stringMatching(new RegExp(`not its own: in:${number}, which .*pid ${process.pid}.* has`)),
    });
    await new Promise((resolve) => server.close(resolve));
  });

  test('that ended says how', async () => {
    const silent = await run('/bin/sh', '-c', 'exit 3');
    await silent.exited;
    expect(await wait(silent, [])).toEqual({ kind: 'exited', words: 'it ended with code 3' });
  });
});
