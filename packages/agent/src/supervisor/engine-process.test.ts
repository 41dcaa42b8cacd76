import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { systemClock } from '@sbox/core';
import { createLineSink, createLogger } from '@sbox/daemon/log';
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';
import { testUnless } from '../../test/needing.ts';
import { openEndPipe } from './end-pipe.ts';
import { adopt, launch, type EngineProcess, type ProcessDeps } from './engine-process.ts';
import { findLeftBehind, markName } from './family.ts';
import { createLogFile, logDefaults } from './log-file.ts';
import { createProc } from './proc.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'sbox-process-'));
const signals: [number, string][] = [];
const logged: string[] = [];
const proc = createProc();
const deps: ProcessDeps = {
  proc,
  clock: systemClock,
  spawn,
  kill(pid, name) {
    signals.push([pid, name]);
    process.kill(pid, name);
  },
  env: { MARK: 'set', PATH: process.env['PATH'] ?? '' },
  stopMs: 300,
  pollMs: 5,
  openEndPipe: async (prefix) => await openEndPipe(spawn, prefix),
  log: createLogger(
    createLineSink((line) => void logged.push(line), systemClock),
    'debug',
  ),
};
const log = createLogFile(path.join(directory, 'log'), logDefaults);
const started: EngineProcess[] = [];

async function run(script: string, more: Partial<ProcessDeps> = {}): Promise<EngineProcess> {
  const child = await launch({ ...deps, ...more }, { program: '/bin/sh', args: ['-c', script], cwd: directory, log });
  started.push(child);
  return child;
}

beforeEach(() => {
  signals.length = 0;
  logged.length = 0;
});
afterAll(async () => {
  for (const one of started) await one.stop();
  rmSync(directory, { recursive: true });
});

/** The shell writes this once its traps are set. */
async function untilSaid(word: string): Promise<void> {
  while (!readFileSync(log.file, 'utf8').includes(word)) await systemClock.sleep(5);
}

/** Command lines of what still lives of the family of a process. */
const markOf = ({ identity }: EngineProcess): string => proc.environmentOf(identity.pid, markName) ?? '';
const living = (mark: string): string[] =>
  proc
    .pids()
    .filter((pid) => proc.identify(pid) !== undefined && proc.environmentOf(pid, markName) === mark)
    .map((pid) => proc.argumentsOf(pid).join(' '));

/** A shell forks before it runs the program. */
async function untilLives(of: EngineProcess, words: string): Promise<void> {
  while (!living(markOf(of)).includes(words)) await systemClock.sleep(5);
}

describe('a program', () => {
  test('writes to the log, sees only its own environment, and its end is seen', async () => {
    const child = await run('echo "$MARK ${HOME-none}"; exit 3');
    expect(await child.exited).toMatchObject({ code: 3, signal: null, reason: 'code' });
    expect(child.isAlive).toBe(false);
    expect(child.signal('SIGTERM')).toBe(false);
    expect(await log.tail(1)).toEqual(['set none']);
  });

  test('that is not there is a clear error, and nothing of the attempt is left', async () => {
    const missing = launch(deps, { program: path.join(directory, 'nothing'), args: [], cwd: directory, log });
    await expect(missing).rejects.toMatchObject({ code: 'engine.start-failed' });
    expect(readdirSync(directory)).toEqual(['log']);
  });
});

describe('an adopted one', () => {
  test('is watched by its identity, and stopped', async () => {
    const child = await run('echo ready-to-adopt; exec sleep 30');
    await untilSaid('ready-to-adopt');
    const adopted = adopt(deps, child.identity, systemClock.now() - 5000);
    expect(adopted).toMatchObject({ isAdopted: true, isAlive: true });
    expect(await adopted.stop()).toMatchObject({ code: null });
    expect((await child.exited).signal).toBe('SIGTERM');
  });

  test('is seen to end at once, without looking', async () => {
    const child = await run('exec sleep 30');
    const never = 60_000;
    const adopted = adopt({ ...deps, pollMs: never }, child.identity, systemClock.now());
    child.signal('SIGKILL');
    expect(await adopted.exited).toMatchObject({ reason: 'unknown' });
  });

  test('is looked at where its own child keeps the pipe open', async () => {
    const child = await run(`setsid sleep 31 & echo has-a-child; wait`);
    await untilSaid('has-a-child');
    const adopted = adopt(deps, child.identity, systemClock.now());
    process.kill(child.identity.pid, 'SIGKILL');
    expect(await adopted.exited).toMatchObject({ code: null, reason: 'unknown' });
  });

  test('is ended without waiting for a look, though its child keeps the pipe open', async () => {
    const child = await run(`setsid sleep 37 & echo child-has-pipe; wait`);
    await untilSaid('child-has-pipe');
    const adopted = adopt({ ...deps, pollMs: 60_000 }, child.identity, systemClock.now());
    expect(await adopted.stop()).toMatchObject({ code: null });
  });

  test('without a pipe is looked at often, and the log says so', async () => {
    const child = await launch(
      { ...deps, openEndPipe: async () => await Promise.reject(new Error('no mkfifo here')) },
      { program: '/bin/sleep', args: ['30'], cwd: directory, log },
    );
    started.push(child);
    expect(logged.join('')).toContain('no mkfifo here');
    const adopted = adopt(deps, child.identity, systemClock.now());
    child.signal('SIGKILL');
    expect(await adopted.exited).toMatchObject({ code: null });
    expect(logged.join('')).toContain('seen by looking only');
  });

  test('that was released is left alone', async () => {
    const child = await run('exec sleep 30');
    adopt(deps, child.identity, systemClock.now()).release();
    expect(child.isAlive).toBe(true);
    expect(signals).toEqual([]);
  });
});

describe('scenario 20: a stranger that has the number of an engine by now', () => {
  test.each([
    ['started at another time', { starttime: '1' }],
    ['before the machine was booted', { boot_id: 'b0000000-0000-0000-0000-000000000000' }],
  ])('%s is never signalled, nor what it started', async (_, forged) => {
    const stranger = await run('sleep 32 & exec sleep 30');
    await untilLives(stranger, 'sleep 30');
    await untilLives(stranger, 'sleep 32');
    const record = adopt(deps, { ...stranger.identity, ...forged }, systemClock.now());
    expect(record.isAlive).toBe(false);
    expect(record.signal('SIGKILL')).toBe(false);
    await record.stop();
    expect(await record.exited).toMatchObject({ reason: 'unknown' });
    expect(signals).toEqual([]);
    expect(living(markOf(stranger))).toEqual(expect.arrayContaining(['sleep 30', 'sleep 32']));
    await stranger.stop();
  });
});

describe('ending', () => {
  test('scenario 21: what ignores TERM is killed, with all that it started', async () => {
    const child = await run('trap "" TERM; (trap "" TERM; sleep 60) & echo trapped; while :; do sleep 0.05; done');
    await untilSaid('trapped');
    const mark = markOf(child);
    expect(await child.stop()).toMatchObject({ signal: 'SIGKILL', reason: 'signal' });
    expect(signals.slice(0, 2)).toEqual([
      [-child.identity.pid, 'SIGTERM'],
      [-child.identity.pid, 'SIGKILL'],
    ]);
    expect(living(mark)).toEqual([]);
  });

  test('what left the session and lost its parent is found by its mark, and its port is free', async () => {
    const listen = 'const s = require("net").createServer().listen(0, "127.0.0.1", () => console.log(s.address()))';
    const child = await run(
      `(setsid '${process.execPath}' -e 'process.on("SIGTERM", () => {}); ${listen}' &) ; exec sleep 30`,
    );
    await untilSaid('port: ');
    const port = Number(/port: (\d+)/.exec(readFileSync(log.file, 'utf8'))?.[1]);
    const mark = markOf(child);
    expect(living(mark)).toHaveLength(2);
    await child.stop();
    expect(living(mark)).toEqual([]);
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(port, '127.0.0.1', resolve);
    });
    await new Promise((resolve) => server.close(resolve));
  });

  test('what ends by itself leaves nothing behind that could hold its ports', async () => {
    const child = await run(
      '(setsid sh -c "trap \\"\\" TERM; echo left-behind; while :; do sleep 0.05; done" &); sleep 0.2; kill -9 $$',
    );
    await untilSaid('left-behind');
    const mark = markOf(child);
    expect(await child.exited).toMatchObject({ signal: 'SIGKILL', reason: 'signal' });
    expect(living(mark)).toEqual([]);
  });

  test('what an engine left behind that nobody saw end is found, and nothing else', async () => {
    const [dead, alive] = [await run('setsid sleep 35 & wait'), await run('sleep 36 & wait')];
    await untilLives(dead, 'sleep 35');
    await untilLives(alive, 'sleep 36');
    const marks = [markOf(dead), markOf(alive)];
    expect(living(marks[0] ?? '')).toHaveLength(2);
    const found = findLeftBehind(proc, directory, [alive.identity.pid]).map(({ pid }) =>
      proc.argumentsOf(pid).join(' '),
    );
    expect(found).toContain('sleep 35');
    expect(found).not.toContain('sleep 36');
    expect(findLeftBehind(proc, `${directory}-other`, [])).toEqual([]);
    expect(living(marks[1] ?? '')).toContain('sleep 36');
    await dead.stop();
    await alive.stop();
  });

  test('what cannot be killed is said by name, and nothing is pretended', async () => {
    const harmless: ProcessDeps['kill'] = (pid, name) => {
      if (name !== 'SIGKILL') process.kill(pid, name);
    };
    const child = await run('trap "" TERM; echo stubborn; while :; do sleep 0.05; done', {
      kill: harmless,
      stopMs: 50,
    });
    await untilSaid('stubborn');
    await expect(child.stop()).rejects.toMatchObject({
      code: 'unit.failed',
      message: expect.stringMatching(new RegExp(`pid ${child.identity.pid} .*cannot be ended`)),
    });
    expect(child.isAlive).toBe(true);
    process.kill(-child.identity.pid, 'SIGKILL');
    await child.exited;
  });
});

/** A cgroup that may use 24 MiB; undefined where this machine gives us none. */
function makeCgroup(): string | undefined {
  const name = `sbox-test-${process.pid}`;
  for (const [root, limits] of [
    ['/sys/fs/cgroup', { 'memory.max': '24M', 'memory.swap.max': '0' }],
    ['/sys/fs/cgroup/memory', { 'memory.limit_in_bytes': '24M' }],
  ] as const) {
    const own = path.join(root, name);
    try {
      if (!existsSync(path.join(root, 'cgroup.procs'))) continue;
      mkdirSync(own);
      try {
        for (const [file, value] of Object.entries(limits)) {
          if (existsSync(path.join(own, file))) writeFileSync(path.join(own, file), value);
        }
        if (existsSync(path.join(own, Object.keys(limits)[0] ?? ''))) return own;
      } catch {
        // Not ours to limit.
      }
      rmdirSync(own);
    } catch {
      // Not ours to make.
    }
  }
  return undefined;
}

// Only root of a machine with the memory controller can ask for one; without it only the reading of counters is tested.
const cgroup = makeCgroup();
afterAll(() => {
  if (cgroup !== undefined) rmdirSync(cgroup);
});

testUnless(cgroup === undefined ? 'it needs a memory cgroup' : undefined)(
  'an engine that the kernel ended for want of memory is told from one that somebody killed',
  async () => {
    const own = cgroup ?? '';
    const go = path.join(directory, 'go');
    const child = await run(
      `echo $$ > ${own}/cgroup.procs; echo inside; until [ -e ${go} ]; do sleep 0.02; done; exec tail /dev/zero`,
    );
    await untilSaid('inside');
    child.forgetOom();
    const adopted = adopt(deps, child.identity, systemClock.now());
    writeFileSync(go, '');
    expect(await child.exited).toMatchObject({ signal: 'SIGKILL', reason: 'oom' });
    expect(await adopted.exited).toMatchObject({ signal: null, reason: 'oom' });
  },
  20_000,
);
