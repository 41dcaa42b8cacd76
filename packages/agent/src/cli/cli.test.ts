import { expect, test, describe } from '@jest/globals';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { systemClock } from '@sbox/core';
import { eventually, openBench, type Bench } from '../../test/agent-bench.ts';
import { makeBundle } from '../../test/bundles.ts';
import { startManagerDouble } from '../../test/manager-double.ts';
import { configText, testManifest } from '../../test/manifests.ts';
import { openStateLock } from '../identity/state-lock.ts';
import { commands } from './commands.ts';
import { runProgram } from './program.ts';

const clock = systemClock;
const one = configText('one');

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function sboxagent(
  bench: Bench,
  words: readonly string[],
  more: {
    signal?: AbortSignal;
    onStdout?: (text: string) => void;
    environment?: Readonly<Record<string, string>>;
  } = {},
): Promise<Ran> {
  const ran = { stdout: '', stderr: '' };
  const code = await runProgram(commands, words, {
    environment: {
      SBOXAGENT_STATE_DIR: bench.stateDir,
      SBOXAGENT_IMPORT_DIR: bench.importDir,
      SBOXAGENT_SYNC_SOCKET: 'false',
      SBOX_SING_BOX: '/nowhere/sing-box',
      ...more.environment,
    },
    programFile: '/nowhere/main.ts',
    nodeFile: process.execPath,
    kill: () => {},
    pid: process.pid,
    uid: process.getuid?.() ?? 0,
    clock,
    signal: more.signal ?? new AbortController().signal,
    stdin: Readable.from(['{}']),
    stdout: (text) => {
      ran.stdout += text;
      more.onStdout?.(text);
    },
    stderr: (text) => {
      ran.stderr += text;
    },
  });
  return { code, ...ran };
}

describe('sboxagent', () => {
  test.each([[[]], [['config']]])('sboxagent %j shows help and ends as a wrong command', async (words: string[]) => {
    await using bench = await openBench();
    const { code, stderr } = await sboxagent(bench, words);
    expect(code).toBe(2);
    expect(stderr).toContain('Usage: sboxagent');
  });

  test('every command has a summary and shows help', async () => {
    await using bench = await openBench();
    for (const { usage } of commands) {
      const words = usage.split(' ').filter((word) => !/^[<[]/.test(word));
      const { code, stdout } = await sboxagent(bench, [...words, '--help']);
      expect([usage, code]).toEqual([usage, 0]);
      expect(stdout).toContain('--state-dir');
    }
    expect((await sboxagent(bench, ['--help'])).stdout).not.toContain('overlay');
  });

  test.each([
    [['nothing'], 2, /unknown command/],
    [['join'], 2, /missing required argument/],
    [['join', 'http://127.0.0.1:1'], 2, /--token-file/],
    [['join', 'http://127.0.0.1:1', '--token-file', '/nowhere/token'], 3, /\/nowhere\/token/],
    [['status'], 6, /fix: {3}.*sboxagent run/],
    [['config', 'history'], 6, /agent\.sock/],
    [['status', '-o', 'xml'], 2, /xml is not one of/],
    [['run', '--config', '/nowhere.yaml'], 3, /nowhere/],
    [['import', '/nowhere/bundle'], 3, /nowhere/],
    [['overlay', '/nowhere/in', '/nowhere/out'], 1, /"code":"file.unreadable"/],
  ])('%j ends with %i and says what, why and what to do', async (words, code, pattern) => {
    await using bench = await openBench();
    const ran = await sboxagent(bench, words);
    expect([ran.code, ran.stdout]).toEqual([code, '']);
    expect(ran.stderr).toMatch(pattern);
    if (words[0] !== 'overlay') expect(ran.stderr).toMatch(/^error: .+\ncause: .+\nfix: {3}.+\n$/);
  });

  test('joins, runs until it is told to stop, and answers the other commands meanwhile', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    const tokenFile = path.join(bench.directory, 'token');
    await writeFile(tokenFile, manager.joinToken());
    const joined = await sboxagent(bench, [
      'join',
      manager.url,
      '--token-file',
      tokenFile,
      '--name',
      'edge',
      '-o',
      'json',
    ]);
    expect([joined.code, JSON.parse(joined.stdout)]).toMatchObject([0, { name: 'edge', pin: manager.pin }]);
    const stop = new AbortController();
    let ready = '';
    const running = sboxagent(bench, ['run', '--ready-json'], {
      signal: stop.signal,
      onStdout: (text) => (ready += text),
    });
    await eventually('it is ready', () => ready !== '');
    expect(JSON.parse(ready)).toMatchObject({ ready: true, phase: 'idle' });
    await eventually('it has reported', () => manager.statuses.length > 0);
    const status = await sboxagent(bench, ['status']);
    expect(status.stdout).toContain(`manager  ${manager.url} answers`);
    expect((await sboxagent(bench, ['config', 'show'])).stdout).toBe('nothing runs\n');
    expect((await sboxagent(bench, ['config', 'history', '--json'])).stdout).toBe('{"items":[]}\n');
    expect((await sboxagent(bench, ['config', 'rollback'])).code).toBe(3);
    expect((await sboxagent(bench, ['events'])).stdout).toContain('agent.started');
    expect((await sboxagent(bench, ['logs'])).code).toBe(0);
    const doctor = await sboxagent(bench, ['doctor', '-o', 'json']);
    const { checks } = JSON.parse(doctor.stdout) as { checks: { check: string; verdict: string }[] };
    expect(checks.filter(({ verdict }) => verdict === 'failed').map(({ check }) => check)).toEqual(['engine']);
    expect(doctor.code).toBe(1);
    stop.abort();
    expect((await running).code).toBe(0);
  });

  test('an agent that runs and answers is left alone by rescue; hold and quarantine may go beside it', async () => {
    await using bench = await openBench();
    await using _ = await bench.start();
    const rescued = await sboxagent(bench, ['rescue', '--yes']);
    expect([rescued.code, rescued.stdout]).toMatchObject([0, expect.stringContaining('it was not touched')]);
    for (const more of [['--remove-redirects'], ['--start']]) {
      const refused = await sboxagent(bench, ['rescue', '--yes', ...more]);
      expect([refused.code, refused.stderr]).toMatchObject([5, expect.stringContaining('systemctl stop sboxagent')]);
    }
    const nothing = await sboxagent(bench, ['rescue', '--release-hold', '--yes']);
    expect([nothing.code, nothing.stdout]).toMatchObject([0, expect.stringContaining('is not held')]);
    const hold = path.join(bench.stateDir, 'hold');
    await writeFile(hold, 'until Monday');
    const planned = (await sboxagent(bench, ['rescue', '--release-hold'])).stdout;
    expect(planned).toMatch(/planned +hold[^]*to do it: sboxagent rescue --release-hold --yes\n$/);
    expect(await readdir(bench.stateDir)).toContain('hold');
    const released = await sboxagent(bench, ['rescue', '--release-hold', '--yes', '-o', 'json']);
    expect(JSON.parse(released.stdout)).toMatchObject({ done: [{ repair: 'hold', state: 'done' }] });
    expect(await readdir(bench.stateDir)).not.toContain('hold');
  });

  test('a state directory that nobody answers for is not touched while its agent lives', async () => {
    await using bench = await openBench();
    await mkdir(bench.stateDir, { mode: 0o700 });
    await using _ = await openStateLock({ stateDir: bench.stateDir, pid: process.pid });
    const { code, stderr } = await sboxagent(bench, ['rescue', '--yes']);
    expect([code, stderr]).toMatchObject([5, expect.stringContaining(`kill ${process.pid}`)]);
    const doctor = await sboxagent(bench, ['doctor']);
    expect(doctor.stdout).toContain(`process ${process.pid} holds the state, but does not answer`);
  });

  test('rescue shows a plan, and does it only when it is told to', async () => {
    await using bench = await openBench();
    await mkdir(bench.stateDir, { mode: 0o777 });
    await chmod(bench.stateDir, 0o777);
    for (const words of [['rescue'], ['rescue', '--yes', '--dry-run']]) {
      const { code, stdout } = await sboxagent(bench, words);
      expect([code, stdout]).toMatchObject([0, expect.stringContaining('next: nothing was changed yet')]);
      expect((await stat(bench.stateDir)).mode & 0o777).toBe(0o777);
    }
    expect((await sboxagent(bench, ['rescue', '--yes'])).stdout).toMatch(/done +permissions/);
    expect((await stat(bench.stateDir)).mode & 0o777).toBe(0o700);
    await chmod(bench.stateDir, 0o777);
    const elsewhere = await sboxagent(bench, ['rescue', '--state-dir', bench.stateDir]);
    expect(elsewhere.stdout).toContain(`to do it: sboxagent rescue --state-dir ${bench.stateDir} --yes`);
    const start = await sboxagent(bench, ['rescue', '--start', '--release-hold']);
    expect(start.stdout).toContain('this server is not held');
    expect(start.stdout).toMatch(/advice +start +nothing to start: no version is known to be good/);
    await chmod(bench.stateDir, 0o777);
    const removed = await sboxagent(bench, ['rescue', '--remove-redirects', '--yes']);
    expect([removed.code, removed.stdout]).toEqual([0, 'next: no redirect of this agent is left\n']);
    expect((await stat(bench.stateDir)).mode & 0o777).toBe(0o777);
    expect(await readdir(bench.stateDir)).toEqual([]);
  });

  test('a plain config is planned, applied and judged through the running agent', async () => {
    await using bench = await openBench();
    await using agent = await bench.start();
    const file = path.join(bench.directory, 'config.json');
    await writeFile(file, one);
    const plan = await sboxagent(bench, ['config', 'apply', file, '--plan']);
    expect([plan.code, plan.stdout]).toMatchObject([0, expect.stringContaining('will end 214 connections')]);
    expect(plan.stdout).toMatch(/main +swap +nft is not there/);
    expect(agent.fake.offered).toEqual([]);
    const applied = await sboxagent(bench, ['config', 'apply', file, '--confirm', '2m', '-o', 'json']);
    expect([applied.code, JSON.parse(applied.stdout)]).toMatchObject([0, { source: 'local', state: 'committed' }]);
    expect(agent.fake.offered).toMatchObject([{ source: 'local', confirm_ms: 120_000 }]);
    expect((await sboxagent(bench, ['config', 'confirm'])).code).toBe(5);
    expect((await sboxagent(bench, ['config', 'apply', file, '--wait', 'soon'])).code).toBe(2);
    expect((await sboxagent(bench, ['config', 'apply', path.join(bench.directory, 'none')])).code).toBe(3);
  });

  test('a server that is held takes no file, says so at once, and is released by its own command', async () => {
    await using bench = await openBench();
    await using agent = await bench.start();
    const file = path.join(bench.directory, 'config.json');
    await writeFile(file, one);
    agent.fake.set({ held: 'rolled back by hand from 1.3', phase: 'held' });
    const refused = await sboxagent(bench, ['config', 'apply', file]);
    expect([refused.code, refused.stderr]).toMatchObject([5, expect.stringContaining('sboxagent config release')]);
    expect(refused.stderr).toContain('rolled back by hand from 1.3');
    expect(agent.fake.offered).toEqual([]);
    expect((await sboxagent(bench, ['status'])).stdout).toMatch(/^held +.*sboxagent config release$/m);
    const released = await sboxagent(bench, ['config', 'release']);
    expect([released.code, released.stdout]).toMatchObject([0, expect.stringContaining('not held any more')]);
    expect((await sboxagent(bench, ['config', 'release'])).code).toBe(5);
    expect((await sboxagent(bench, ['config', 'apply', file])).code).toBe(0);
  });

  test('a plain config is refused on a server that has a manager, a bundle is taken', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    const { server_id: serverId } = await bench.join(manager);
    await using _ = await bench.start();
    const file = path.join(bench.directory, 'file');
    await writeFile(file, one);
    for (const more of [[], ['--plan']]) {
      const { code, stderr } = await sboxagent(bench, ['config', 'apply', file, ...more]);
      expect([code, stderr]).toMatchObject([4, expect.stringContaining('has joined a manager')]);
    }
    await writeFile(file, makeBundle(manager, testManifest(serverId, 3, one), [one]));
    const { code, stdout } = await sboxagent(bench, ['config', 'apply', file]);
    expect([code, stdout]).toMatchObject([0, expect.stringContaining('generation 1.3 is committed')]);
  });

  test('a refusal is the problem of the command, in the words of the engine', async () => {
    await using bench = await openBench();
    await using agent = await bench.start();
    const file = path.join(bench.directory, 'config.json');
    await writeFile(file, one);
    agent.fake.refuseNext('engine.check-failed', 'unknown field "colour"');
    const { code, stderr } = await sboxagent(bench, ['config', 'apply', file]);
    expect([code, stderr]).toMatchObject([7, expect.stringContaining('unknown field "colour"')]);
  });

  test('the key is replaced, and the manager goes on to know this server', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    await using _ = await bench.start();
    expect((await sboxagent(bench, ['key', 'rotate'])).code).toBe(5);
    await bench.join(manager);
    await eventually('it has reported', () => manager.statuses.length > 0);
    const rotated = await sboxagent(bench, ['key', 'rotate', '-o', 'json']);
    expect([rotated.code, JSON.parse(rotated.stdout)]).toEqual([0, { keyid: expect.stringMatching(/^[0-9a-f]{16}$/) }]);
    const { checks } = JSON.parse((await sboxagent(bench, ['doctor', '-o', 'json'])).stdout) as {
      checks: { check: string; verdict: string }[];
    };
    expect(checks.filter(({ check }) => check === 'manager').map(({ verdict }) => verdict)).toEqual(['ok']);
  });

  test('a damaged trust document is said, and fetched again beside the agent that could not use it', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    await using other = await startManagerDouble({ clock });
    await bench.join(manager);
    const file = path.join(bench.stateDir, 'trust.json');
    await writeFile(file, '{');
    await using _ = await bench.start();
    const before = (await sboxagent(bench, ['status'])).stdout;
    expect(before).toMatch(/^manager +not asked: .*trust\.json is damaged.*sboxagent rescue --yes$/m);
    expect((await sboxagent(bench, ['rescue'])).stdout).toContain(manager.url);
    const elsewhere = { SBOXAGENT_MANAGER_URLS: other.url };
    const stranger = await sboxagent(bench, ['rescue', '--yes'], { environment: elsewhere });
    expect(stranger.code).not.toBe(0);
    expect(await readFile(file, 'utf8')).toBe('{');
    expect((await sboxagent(bench, ['rescue', '--yes'])).code).toBe(0);
    await eventually('it reports', () => manager.statuses.length > 0);
    expect((await sboxagent(bench, ['status'])).stdout).toContain(`manager  ${manager.url} answers`);
    expect((await sboxagent(bench, ['rescue', '--yes'])).stdout).toContain('it was not touched');
  });

  test('a damaged identity is no reason to call this a server of imports', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    await bench.join(manager);
    await writeFile(path.join(bench.stateDir, 'identity.json'), '{');
    await using _ = await bench.start();
    const { stdout } = await sboxagent(bench, ['status']);
    expect(stdout).toMatch(/^manager +not asked: .*identity\.json is damaged.*sboxmgr server remove.*sboxagent join/m);
  });

  test('a manager that answers with a refusal is not called silent', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    await bench.join(manager);
    manager.fault = 'revoked';
    await using _ = await bench.start();
    const told = async () => (await sboxagent(bench, ['status'])).stdout.includes('answers auth.revoked (removed)');
    await eventually('it says so', told);
  });

  test('a bundle brings its server with it when the pin fits, and waits for an agent that does not run', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    const file = path.join(bench.directory, 'bundle.sbox');
    await writeFile(file, makeBundle(manager, testManifest('srv_island', 3, one), [one]));
    const without = await sboxagent(bench, ['import', file]);
    expect([without.code, without.stderr]).toMatchObject([5, expect.stringContaining('--pin')]);
    const wrong = await sboxagent(bench, ['import', file, '--pin', `sha256:${'0'.repeat(64)}`]);
    expect([wrong.code, wrong.stderr]).toMatchObject([4, expect.stringContaining('root key')]);
    expect(await readdir(bench.stateDir)).toEqual([]);
    const taken = await sboxagent(bench, ['import', file, '--pin', manager.pin, '-o', 'json']);
    expect([taken.code, JSON.parse(taken.stdout)]).toEqual([0, { epoch: 1, generation: 3, state: 'waiting' }]);
    await using agent = await bench.start();
    await eventually('the bundle runs', () => agent.fake.state.running?.source === 'bundle');
    expect(agent.identity).toMatchObject({ server_id: 'srv_island', name: 'island', manager_urls: [] });
    await writeFile(file, makeBundle(manager, testManifest('srv_island', 4, one), [one]));
    const next = await sboxagent(bench, ['import', file]);
    expect([next.code, next.stdout]).toMatchObject([0, expect.stringContaining('1.4')]);
    await eventually('the next one runs', () => agent.fake.state.running?.generation === 4);
  });
});
