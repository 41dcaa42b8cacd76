import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemClock } from '@sbox/core';
import { afterAll, expect, test } from '@jest/globals';
import { adopt, launch, type ProcessDeps } from './engine-process.ts';
import { createLogFile } from './log-file.ts';
import { createProc } from './proc.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'sbox-process-'));
afterAll(() => rmSync(directory, { recursive: true }));

const signals: [number, string][] = [];
const proc = createProc();
const deps: ProcessDeps = {
  proc,
  clock: systemClock,
  spawn,
  kill(pid, name) {
    signals.push([pid, name]);
    process.kill(pid, name);
  },
  env: { MARK: 'set' },
  stopMs: 300,
  pollMs: 5,
};
const log = createLogFile(path.join(directory, 'log'), 1000);
const run = async (script: string) =>
  await launch(deps, { program: '/bin/sh', args: ['-c', script], cwd: directory, log });

/** The shell writes this once its traps are set. */
async function untilSaid(word: string): Promise<void> {
  while (!readFileSync(log.file, 'utf8').includes(word)) await systemClock.sleep(5);
}

test('a program writes to the log, sees only its own environment, and its end is seen', async () => {
  const child = await run('echo "$MARK ${HOME-none}"; exit 3');
  expect(await child.exited).toMatchObject({ code: 3, signal: null });
  expect(child.isAlive).toBe(false);
  expect(child.signal('SIGTERM')).toBe(false);
  expect(await log.tail(1)).toEqual(['set none']);
});

test('what ignores TERM is killed, together with what it started', async () => {
  const child = await run('trap "" TERM; (trap "" TERM; sleep 60) & echo trapped; while :; do sleep 0.05; done');
  await untilSaid('trapped');
  expect(await child.stop()).toMatchObject({ signal: 'SIGKILL' });
  expect(signals.map(([pid]) => pid)).toEqual([-child.identity.pid, -child.identity.pid]);
  while (proc.pids().some((pid) => proc.argumentsOf(pid).join(' ') === 'sleep 60')) await systemClock.sleep(5);
});

test('an adopted one is watched by its identity, and stopped', async () => {
  const child = await run('echo ready-to-adopt; sleep 30');
  await untilSaid('ready-to-adopt');
  const adopted = adopt(deps, child.identity, systemClock.now() - 5000);
  expect(adopted).toMatchObject({ isAdopted: true, isAlive: true });
  expect(await adopted.stop()).toMatchObject({ code: null });
  expect((await child.exited).signal).toBe('SIGTERM');
});

test('a pid that belongs to another program by now is never signalled', async () => {
  const child = await run('sleep 30');
  signals.length = 0;
  const stranger = adopt(deps, { ...child.identity, starttime: '1' }, systemClock.now());
  expect(stranger.isAlive).toBe(false);
  expect(stranger.signal('SIGKILL')).toBe(false);
  await stranger.stop();
  expect(signals).toEqual([]);
  expect(child.isAlive).toBe(true);
  await child.stop();
});

test('a program that is not there is a clear error', async () => {
  const missing = launch(deps, { program: path.join(directory, 'nothing'), args: [], cwd: directory, log });
  await expect(missing).rejects.toMatchObject({ code: 'engine.start-failed' });
});
