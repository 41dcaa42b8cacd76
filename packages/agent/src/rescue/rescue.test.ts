import { describe, expect, test } from '@jest/globals';
import { existsSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { chmod, chown, link, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { testAsRoot } from '../../test/needing.ts';
import { listenOn, openStateDouble, type StateDouble } from '../../test/state-double.ts';
import type { Scene, SceneDeps } from '../doctor/scene.ts';
import { createDisk } from '../state/disk.ts';
import { inspectState } from '../state/inspect.ts';
import { createProc } from '../supervisor/proc.ts';
import { afterLock, beforeLock, mend, planRescue, type RescueLine } from './rescue.ts';
import { permissions } from './permissions.ts';
import { createRoom } from './room.ts';
import type { RescueScene, Wishes } from './step.ts';

const noWishes: Wishes = { liftQuarantine: false, releaseHold: false, removeRedirects: false, engine: undefined };
const engine = { kind: 'sing-box' as const, path: '/bin/sing-box', version: '1.14.4', tags: [] };

type More = Partial<Wishes> & { readonly deps?: Partial<SceneDeps> };

const opener =
  (state: StateDouble, { deps = {}, ...wishes }: More = {}) =>
  (): RescueScene => ({
    scene: state.scene({ findEngine: async () => await Promise.resolve(engine), ...deps }),
    disk: createDisk(),
    wishes: { ...noWishes, ...wishes },
    stamp: '2026-01-01T00-00-00',
  });

/** Plans, does it, and sees that there is nothing left to do. */
async function rescue(state: StateDouble, more: More = {}): Promise<RescueLine[]> {
  const open = opener(state, more);
  const plan = await planRescue(open());
  const done = await mend(open, [...beforeLock, ...afterLock]);
  expect(done.filter(({ state: is }) => is === 'failed')).toEqual([]);
  expect(plan.length === 0).toBe(done.length === 0);
  const again = await planRescue(open());
  expect(again.filter(({ state: is }) => is === 'planned')).toEqual([]);
  return done;
}

const repaired = (lines: readonly RescueLine[]): string[] =>
  lines.filter(({ state }) => state === 'done').map(({ repair }) => repair);

const bootVersion = async ({ directory }: StateDouble): Promise<number | undefined> => {
  const { versions } = await inspectState(createDisk(), directory);
  return versions.find(({ isCommitted }) => isCommitted)?.version.generation;
};

describe('rescue', () => {
  test('finds nothing to do where nothing is broken, and where nothing ever was', async () => {
    await using state = await openStateDouble();
    expect(await rescue(state)).toEqual([]);
    state.addVersion({ generation: 1 });
    expect(await rescue(state)).toEqual([]);
  });

  test('a torn journal is set aside, its good steps stay', async () => {
    await using state = await openStateDouble();
    state.addVersion({ generation: 1 });
    const file = path.join(state.directory, 'journal.ndjson');
    const whole = readFileSync(file);
    await writeFile(file, Buffer.concat([whole, Buffer.from('0000 {"torn')]));
    expect(repaired(await rescue(state))).toEqual(['journal']);
    expect(readFileSync(file)).toEqual(whole);
    expect(readFileSync(`${file}.torn-2026-01-01T00-00-00`, 'utf8')).toContain('{"torn');
  });

  test('a journal that is no file at all is set aside, and the slots tell what was good', async () => {
    await using state = await openStateDouble();
    state.addVersion({ generation: 4 });
    const file = path.join(state.directory, 'journal.ndjson');
    await rm(file);
    await mkdir(path.join(file, 'x'), { recursive: true });
    expect(repaired(await rescue(state))).toEqual(['journal', 'version']);
    expect(existsSync(`${file}.torn-2026-01-01T00-00-00/x`)).toBe(true);
    expect(await bootVersion(state)).toBe(4);
  });

  test('a last good version with damaged files gives way to the one before it', async () => {
    await using state = await openStateDouble();
    const first = state.addVersion({ generation: 1 });
    const second = state.addVersion({ generation: 2 });
    state.write(`slots/edge/${second.name}/config.json`, 'rotten');
    expect(await bootVersion(state)).toBe(2);
    expect(repaired(await rescue(state))).toEqual(['version']);
    expect(await bootVersion(state)).toBe(1);
    expect(readlinkSync(path.join(state.directory, 'slots/edge/lkg'))).toBe(first.name);
  });

  test('two damaged versions in a row give way to the third', async () => {
    await using state = await openStateDouble();
    const versions = [1, 2, 3].map((generation) => state.addVersion({ generation }));
    for (const { name } of versions.slice(1)) state.write(`slots/edge/${name}/slot.json`, '{');
    await rescue(state);
    expect(await bootVersion(state)).toBe(1);
  });

  test('what was good is found in the slots when journal and links are gone; the marked one before newer ones', async () => {
    await using state = await openStateDouble();
    const first = state.addVersion({ generation: 1 });
    state.addVersion({ generation: 2, step: 'INTENT' });
    await rm(path.join(state.directory, 'journal.ndjson'));
    expect(repaired(await rescue(state))).toEqual(['version']);
    expect(await bootVersion(state)).toBe(1);
    await rm(path.join(state.directory, 'journal.ndjson'));
    await rm(path.join(state.directory, 'slots/edge/lkg'));
    await rescue(state);
    expect(await bootVersion(state)).toBe(2);
    expect(first.name).toBe('1.1-1');
  });

  test('where nothing can be started a person is told what to bring', async () => {
    await using state = await openStateDouble();
    state.addVersion({ generation: 1 });
    await rm(path.join(state.directory, 'slots'), { recursive: true });
    expect(await rescue(state)).toEqual([
      { repair: 'version', state: 'advice', what: expect.stringContaining('sboxagent import FILE') },
    ]);
  });

  test('modes: secrets are for the owner, and nobody else writes', async () => {
    await using state = await openStateDouble();
    const { name } = state.addVersion({ generation: 1 });
    const config = path.join(state.directory, `slots/edge/${name}/config.json`);
    await chmod(config, 0o644);
    await chmod(state.directory, 0o777);
    await chmod(path.join(state.directory, 'blobs'), 0o000);
    await chmod(path.join(state.directory, 'journal.ndjson'), 0o000);
    await rescue(state);
    expect(statSync(config).mode & 0o777).toBe(0o600);
    expect(statSync(state.directory).mode & 0o777).toBe(0o700);
    expect(statSync(path.join(state.directory, 'journal.ndjson')).mode & 0o777).toBe(0o600);
  });

  testAsRoot('files of another user go to the owner of the directory', async () => {
    await using state = await openStateDouble();
    const { name } = state.addVersion({ generation: 1 });
    const config = path.join(state.directory, `slots/edge/${name}/config.json`);
    await chown(config, 65_534, 65_534);
    expect(repaired(await rescue(state))).toEqual(['permissions']);
    expect(statSync(config).uid).toBe(0);
  });

  test('a link in the state directory is never followed to what it points to', async () => {
    await using state = await openStateDouble();
    const outside = `${state.directory}-outside`;
    await writeFile(outside, '', { mode: 0o666 });
    await chmod(outside, 0o666);
    try {
      await mkdir(path.join(state.directory, 'slots'), { mode: 0o700 });
      await symlink(outside, path.join(state.directory, 'slots', 'config.json'));
      await rescue(state);
      expect(statSync(outside).mode & 0o777).toBe(0o666);
    } finally {
      await rm(outside);
    }
  });

  test('a directory that was named by mistake is left as it is', async () => {
    await using state = await openStateDouble();
    state.write('somebody.txt', '');
    await chmod(path.join(state.directory, 'somebody.txt'), 0o666);
    await chmod(state.directory, 0o777);
    expect(await rescue(state)).toEqual([]);
    expect(statSync(path.join(state.directory, 'somebody.txt')).mode & 0o777).toBe(0o666);
  });

  test('a lock, a socket and half-written files of an agent that is gone', async () => {
    await using state = await openStateDouble();
    state.write('agent.lock', '4194303 1 nobody');
    state.write('agent.lock.4194303', '');
    state.write('accepted.json.00000000-0000-0000-0000-000000000000.tmp', '{');
    const socket = path.join(state.directory, 'agent.sock');
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    const whileThere = await planRescue(opener(state)());
    expect(whileThere.some(({ what }) => what.includes('agent.sock'))).toBe(false);
    await new Promise((resolve) => server.close(resolve));
    state.write('agent.sock', '');
    expect(repaired(await rescue(state))).toEqual(Array.from({ length: 4 }, () => 'leftovers'));
    expect(await readdir(state.directory)).toEqual([]);
  });

  test('hold and quarantine stay until somebody asks', async () => {
    await using state = await openStateDouble();
    state.write('hold', 'until Monday');
    state.write('quarantine/1.json', JSON.stringify({ digest: 'sha256:1' }));
    expect((await rescue(state)).map(({ state: is }) => is)).toEqual(['advice', 'advice']);
    expect(repaired(await rescue(state, { releaseHold: true, liftQuarantine: true }))).toEqual(['hold', 'quarantine']);
    expect(await readdir(state.directory)).toEqual([]);
  });

  test('a damaged key is set aside, so that the server can join again', async () => {
    await using state = await openStateDouble();
    state.write('agent.key', 'no key');
    state.write('identity.json', '{');
    const lines = await rescue(state);
    expect(lines.map(({ repair, state: is }) => [repair, is])).toEqual([
      ['identity', 'done'],
      ['identity', 'advice'],
    ]);
    expect(existsSync(path.join(state.directory, 'agent.key.damaged-2026-01-01T00-00-00'))).toBe(true);
  });

  test('redirects go when no engine of ours is there, and only those of this state directory', async () => {
    await using state = await openStateDouble();
    const { prefixOf } = await import('../reload/redirects.ts');
    const tables = new Set([`${prefixOf(state.directory)}edge`, `${prefixOf('/elsewhere')}edge`, 'filter']);
    const run: Scene['run'] = async (_program, args) => {
      if (args[0] === 'delete') tables.delete(args[3] ?? '');
      const stdout = [...tables].map((name) => `table inet ${name}\n`).join('');
      return await Promise.resolve({ code: 0, stdout, stderr: '', isTimedOut: false });
    };
    const args = ['sing-box', 'run', '-c', `${state.directory}/slots/edge/current/config.json`];
    const proc = { ...createProc(), pids: () => [process.pid], argumentsOf: () => args };
    expect(await rescue(state, { deps: { run, proc } })).toEqual([]);
    expect(repaired(await rescue(state, { deps: { run } }))).toEqual(['redirects']);
    expect([...tables]).toEqual([`${prefixOf('/elsewhere')}edge`, 'filter']);
  });

  test('another engine is put where the agent looks first', async () => {
    await using state = await openStateDouble();
    const program = path.join(state.directory, 'hold');
    state.write('hold', '#!/bin/sh\n');
    const lines = await rescue(state, { engine: program, releaseHold: false });
    expect(repaired(lines)).toEqual(['engine']);
    expect(statSync(path.join(state.directory, 'engine/sing-box')).mode & 0o777).toBe(0o700);
  });

  test('on a full disk old logs go, and content that no version names; never what is needed', async () => {
    await using state = await openStateDouble();
    const { unit } = state.addVersion({ generation: 1 });
    const needed = unit.config.digest.slice('sha256:'.length);
    const other = '0'.repeat(64);
    for (const name of [`blobs/sha256/${other}`, `engines/sha256/${other}`, 'logs/edge.log', 'logs/edge.log.1'])
      state.write(name, 'x');
    const full = createRoom(async () => await Promise.resolve(true));
    expect(await mend(opener(state), [createRoom(async () => await Promise.resolve(false))])).toEqual([]);
    const besideAgent = createRoom(async () => await Promise.resolve(true), { isBesideAgent: true });
    const beside = await planRescue(opener(state)(), [besideAgent]);
    expect(beside.map(({ what }) => what)).toEqual([expect.stringContaining('edge.log.1')]);
    const lines = await mend(opener(state), [full]);
    expect(repaired(lines)).toEqual(['room', 'room', 'room']);
    expect(await readdir(path.join(state.directory, 'blobs/sha256'))).toEqual([needed]);
    expect(await readdir(path.join(state.directory, 'engines/sha256'))).toEqual([]);
    expect(await readdir(path.join(state.directory, 'logs'))).toEqual(['edge.log']);
    state.write('logs/edge.log', 'x'.repeat(200_000));
    const [left] = await mend(opener(state), [full]);
    expect(left).toMatchObject({ state: 'advice', what: expect.stringContaining('logs/edge.log (0.2 MiB)') });
  });

  test('on a full disk nothing goes that lies behind a link', async () => {
    await using state = await openStateDouble();
    const outside = `${state.directory}-outside`;
    await mkdir(outside);
    try {
      await writeFile(path.join(outside, 'syslog.1'), 'x');
      await writeFile(path.join(outside, '0'.repeat(64)), 'x');
      await symlink(outside, path.join(state.directory, 'logs'));
      await mkdir(path.join(state.directory, 'blobs'));
      await symlink(outside, path.join(state.directory, 'blobs/sha256'));
      await mend(opener(state), [createRoom(async () => await Promise.resolve(true))]);
      expect(await readdir(outside)).toHaveLength(2);
    } finally {
      await rm(outside, { recursive: true });
    }
  });

  testAsRoot('what was put in the place of a file or a folder after the look is left as it is', async () => {
    await using state = await openStateDouble();
    const outside = `${state.directory}-outside`;
    await mkdir(outside);
    try {
      for (const name of ['config.json', 'slot.json']) {
        await writeFile(path.join(outside, name), '');
        await chmod(path.join(outside, name), 0o600);
      }
      const [slots, procs] = [path.join(state.directory, 'slots'), path.join(state.directory, 'procs')];
      for (const folder of [slots, procs]) {
        await mkdir(folder, { mode: 0o700 });
        for (const name of ['config.json', 'slot.json']) await writeFile(path.join(folder, name), '');
        await chmod(path.join(folder, 'config.json'), 0o777);
      }
      await chown(state.directory, 65_534, 65_534);
      const steps = await permissions.find(opener(state)());
      expect(steps.length).toBeGreaterThan(5);
      await rm(slots, { recursive: true });
      await symlink(outside, slots);
      await rm(path.join(procs, 'config.json'));
      await symlink(path.join(outside, 'config.json'), path.join(procs, 'config.json'));
      const ends = await Promise.allSettled(steps.map(async ({ act }) => await act?.()));
      expect(ends.some(({ status }) => status === 'rejected')).toBe(true);
      for (const name of ['config.json', 'slot.json'])
        expect(statSync(path.join(outside, name))).toMatchObject({ uid: 0, mode: 0o100600 });
      expect(statSync(path.join(procs, 'slot.json')).uid).toBe(65_534);
    } finally {
      await rm(outside, { recursive: true });
    }
  });

  testAsRoot('a second name of a file elsewhere is not handed over', async () => {
    await using state = await openStateDouble();
    const outside = `${state.directory}-outside`;
    await writeFile(outside, '', { mode: 0o644 });
    await chown(outside, 65_534, 65_534);
    try {
      await mkdir(path.join(state.directory, 'slots'), { mode: 0o700 });
      await link(outside, path.join(state.directory, 'slots', 'config.json'));
      expect(await rescue(state)).toEqual([]);
      expect(statSync(outside)).toMatchObject({ uid: 65_534, nlink: 2 });
    } finally {
      await rm(outside);
    }
  });

  test('a repair that fails is told, and the others are done', async () => {
    await using state = await openStateDouble();
    state.addVersion({ generation: 1, listens: [listenOn(1)] });
    state.write('hold', '');
    const open = opener(state, { releaseHold: true });
    const broken = {
      name: 'broken',
      find: async () => await Promise.resolve([{ what: 'x', act: async () => await Promise.reject(new Error('no')) }]),
    };
    const blind = { name: 'blind', find: async () => await Promise.reject(new Error('dark')) };
    const lines = await mend(open, [broken, blind, ...afterLock]);
    expect(lines.map(({ repair, state: is }) => [repair, is])).toEqual([
      ['broken', 'failed'],
      ['blind', 'advice'],
      ['hold', 'done'],
    ]);
  });
});
