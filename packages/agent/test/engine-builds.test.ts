import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import { expect, jest, test } from '@jest/globals';
import { ProblemError } from '@sbox/core';
import { silentLogger } from '@sbox/daemon/log';
import type { EngineBuild } from '@sbox/protocol';
import { createEngineStore } from '../src/engines/engine-store.ts';
import { createEngineFinder, type EngineFinder } from '../src/engines/find-engine.ts';
import type { Order } from '../src/order.ts';
import { createDisk } from '../src/state/disk.ts';
import { directConfig, isCommitted, isRefused, openRig, requestThrough, until, type Rig } from './reconciler-rig.ts';

jest.setTimeout(60_000);

const tools = path.resolve(import.meta.dirname, '../../../.tools');

interface Program {
  readonly build: EngineBuild;
  readonly bytes: Buffer;
}
function program(version: string): Program {
  const bytes = readFileSync(path.join(tools, `sing-box-${version}/sing-box`));
  const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  return { bytes, build: { digest, size: bytes.length, version, arch: process.arch } };
}
const [old, recent] = [program('1.12.23'), program('1.14.4')];

/** Builds are kept below the rig; the machine itself has no engine. */
const enginesOf = ({ directory }: Rig): EngineFinder =>
  createEngineStore({
    stateDir: directory,
    own: createEngineFinder({ candidates: [], spawn }),
    arch: process.arch,
    sources: [],
    keep: 0,
    spawn,
    disk: createDisk(),
    log: silentLogger,
  });

/** With its program among the content. */
function orderWith(rig: Rig, generation: number, { build, bytes }: Program, level = 'warn'): Order {
  const config = directConfig(rig.port, { log: { level } });
  const order = rig.order({ generation, config, unit: { engine_build: build } });
  const fetch: Order['blobs']['fetch'] = async (digest, ...rest) =>
    digest === build.digest ? bytes : await order.blobs.fetch(digest, ...rest);
  return { ...order, blobs: { fetch } };
}

const programOf = (pid: number): string => readlinkSync(`/proc/${pid}/exe`);
const fileOf = (rig: Rig, { build }: Program): string =>
  path.join(rig.directory, 'engines/sha256', build.digest.slice(7));

test('a version runs with the program of its order, and going back starts the program that it was proven with', async () => {
  await using rig = await openRig();
  const first = await rig.boot({ engines: enginesOf(rig) });
  first.offer(orderWith(rig, 1, old));
  const before = await until(first, isCommitted(1));
  expect(programOf(before.units[0]?.pid ?? 0)).toBe(fileOf(rig, old));

  // Nothing but the program is another one.
  first.offer(orderWith(rig, 2, recent));
  const after = await until(first, isCommitted(2));
  expect(programOf(after.units[0]?.pid ?? 0)).toBe(fileOf(rig, recent));
  expect(await requestThrough(rig.port, rig.origin.url)).toBe(204);

  await first.rollback();
  const back = await until(first, ({ units }) => units[0]?.state === 'running' && units[0].pid !== after.units[0]?.pid);
  expect(programOf(back.units[0]?.pid ?? 0)).toBe(fileOf(rig, old));
  expect(await requestThrough(rig.port, rig.origin.url)).toBe(204);
  await first[Symbol.asyncDispose]();

  // A machine that starts again has no network yet.
  for (const pid of rig.engines()) process.kill(pid, 'SIGKILL');
  const second = await rig.boot({ engines: enginesOf(rig) });
  const booted = await until(second, ({ units }) => units[0]?.state === 'running');
  expect(programOf(booted.units[0]?.pid ?? 0)).toBe(fileOf(rig, old));
});

test('a program that cannot be had leaves what runs alone, and is tried again', async () => {
  await using rig = await openRig();
  const agent = await rig.boot({ engines: enginesOf(rig), settings: { retry_ms: [20] } });
  agent.offer(orderWith(rig, 1, old));
  const { units } = await until(agent, isCommitted(1));
  const order = orderWith(rig, 2, recent);
  let isThere = false;
  const fetch: Order['blobs']['fetch'] = async (digest, ...rest) => {
    if (digest === recent.build.digest && !isThere) throw new ProblemError('blob.fetch-failed', 'the link is down');
    return await order.blobs.fetch(digest, ...rest);
  };
  agent.offer({ ...order, blobs: { fetch } });
  const refused = await until(agent, isRefused('blob.fetch-failed'));
  expect(refused.nack).toMatchObject({ code: 'blob.fetch-failed', stage: 'fetch', sticky: false });
  expect(rig.engines()).toEqual([units[0]?.pid]);
  isThere = true;
  const done = await until(agent, isCommitted(2));
  expect(programOf(done.units[0]?.pid ?? 0)).toBe(fileOf(rig, recent));

  const foreign: Program = { ...old, build: { ...old.build, arch: 'other' } };
  agent.offer(orderWith(rig, 3, foreign, 'error'));
  const unfit = await until(agent, isRefused('engine.unsupported'));
  expect(unfit.nack).toMatchObject({ code: 'engine.unsupported', message: expect.stringContaining('for other') });
});
