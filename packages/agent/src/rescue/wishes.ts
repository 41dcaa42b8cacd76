import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, copyFile, mkdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { syncDirectory } from '@sbox/daemon/files';
import { needsOwnEngine } from '../doctor/engine.ts';
import { rescuedEngine } from '../settings/engine-candidates.ts';
import { prefixOf } from '../reload/redirects.ts';
import { inspectSlots, inspectState } from '../state/inspect.ts';
import type { Repair, RescueScene, Step } from './step.ts';

/** The hold file: left alone unless somebody says so, because somebody put it there. */
export const hold: Repair = {
  name: 'hold',
  find: async ({ scene, disk, wishes }) => {
    const file = path.join(scene.stateDir, 'hold');
    const found = (await scene.state()).hold;
    if (found === undefined || (await stat(file).catch(() => undefined)) === undefined)
      return wishes.releaseHold ? [{ what: 'this server is not held: there is no hold file' }] : [];
    if (!wishes.releaseHold)
      return [{ what: `held (${found.reason}): what runs is kept, new orders wait; --release-hold ends that` }];
    return [{ what: `remove the hold file (${found.reason})`, act: async () => await disk.remove(file) }];
  },
};

export const quarantine: Repair = {
  name: 'quarantine',
  find: async ({ scene, disk, wishes }) => {
    const directory = path.join(scene.stateDir, 'quarantine');
    const names = (await disk.list(directory)).filter((name) => name.endsWith('.json'));
    if (names.length === 0) return [];
    if (!wishes.liftQuarantine)
      return [{ what: `${names.length} renditions are in quarantine; --lift-quarantine lets them be tried again` }];
    return [
      { what: `lift the quarantine of ${names.length} renditions`, act: async () => await disk.remove(directory) },
    ];
  },
};

/** Redirects of an agent that is gone, when no engine of ours is there to take what they send. */
export const redirects: Repair = {
  name: 'redirects',
  find: async ({ scene, wishes }) => {
    const listed = await scene.run('nft', ['list', 'tables']).catch(() => undefined);
    if (listed?.code !== 0) return [];
    const prefix = prefixOf(scene.stateDir);
    const own = listed.stdout.split('\n').flatMap((line) => {
      const [, family, name] = /^table (\S+) (\S+)$/.exec(line.trim()) ?? [];
      return family !== undefined && name?.startsWith(prefix) === true ? [{ family, name }] : [];
    });
    if (scene.engines().length > 0 && !wishes.removeRedirects) return [];
    return own.map(({ family, name }) => ({
      what: `remove the nftables table ${family} ${name}${scene.engines().length > 0 ? '' : ': no engine is there to take what it redirects'}`,
      act: async () => {
        const removed = await scene.run('nft', ['delete', 'table', family, name]);
        if (removed.code !== 0) throw new Error(removed.stderr.trim() || `nft ended with ${removed.code}`);
      },
    }));
  },
};

/** Another program in place of the machine's own engine, or of the build that the last good version names. */
export const engine: Repair = {
  name: 'engine',
  find: async ({ scene, disk, wishes, stamp }) => {
    const { engine: program } = wishes;
    if (program !== undefined) return await putIn({ scene, disk, wishes, stamp }, program);
    if ((await scene.findEngine()) !== undefined || !(await needsOwnEngine(scene))) return [];
    return [{ what: 'no engine was found: give one (sboxagent rescue --engine FILE), or install sing-box' }];
  },
};

/** An order that names its build runs with that one only: it goes where builds are kept. */
async function putIn({ scene, disk }: RescueScene, program: string): Promise<Step[]> {
  const digest = await digestOfFile(program);
  const { versions } = await inspectState(disk, scene.stateDir);
  const slots = await inspectSlots(disk, scene.stateDir);
  const good = versions.find(({ isCommitted }) => isCommitted)?.version.units ?? [];
  const builds = slots
    .filter(({ slot }) => good.some((unit) => unit.name === slot.unit.name && unit.slot === slot.name))
    .flatMap(({ slot }) => slot.unit.engine_build ?? []);
  const isNamed = builds.some((build) => build.digest === digest);
  const target = isNamed
    ? path.join(scene.stateDir, 'engines', 'sha256', digest.slice('sha256:'.length))
    : rescuedEngine(scene.stateDir);
  if ((await digestOfFile(target).catch(() => undefined)) === digest) return [];
  const other = builds.find((build) => build.digest !== digest);
  const step: Step = {
    what: isNamed
      ? `put ${program} in as the build that the last good version names`
      : `put ${program} in as ${target}; it is used instead of the machine's own until that file is removed`,
    act: async () => await install(program, target),
  };
  if (isNamed || other === undefined) return [step];
  const words = `the last good version runs with sing-box ${other.version} (${other.digest}) only, which this is not`;
  return [step, { what: words }];
}

async function install(program: string, target: string): Promise<void> {
  const aside = `${target}.new`;
  await mkdir(path.dirname(target), { recursive: true, mode: 0o700 });
  await rm(aside, { force: true });
  await copyFile(program, aside);
  await chmod(aside, 0o700);
  await rename(aside, target);
  await syncDirectory(path.dirname(target));
}

async function digestOfFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return `sha256:${hash.digest('hex')}`;
}
