import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { digestOf, ProblemError } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import { silentLogger } from '@sbox/daemon/log';
import type { EngineBuild } from '@sbox/protocol';
import { makeTestDirectory } from '../../test/test-directory.ts';
import type { BlobSource } from '../order.ts';
import { createDisk } from '../state/disk.ts';
import { createEngineStore } from './engine-store.ts';
import { createEngineFinder, engineName } from './find-engine.ts';

const root = makeTestDirectory('engines');
const { signal } = new AbortController();

interface Program {
  readonly bytes: Buffer;
  readonly build: EngineBuild;
}
/** A program that says what sing-box says. */
function program(version: string, { says = `sing-box version ${version}`, arch = 'x64' } = {}): Program {
  const bytes = Buffer.from(`#!/bin/sh\necho "${says}"\necho "Tags: with_quic,with_clash_api"\n`);
  return { bytes, build: { digest: digestOf(bytes, sha256), size: bytes.length, version, arch } };
}

let state = '';
let fetched: string[] = [];
let starts = 0;
beforeEach(() => {
  state = mkdtempSync(path.join(root, 'state-'));
  [fetched, starts] = [[], 0];
});
const fileOf = ({ digest }: EngineBuild): string => path.join(state, 'engines', 'sha256', digest.slice(7));

const managerWith = (...programs: readonly Program[]): BlobSource => ({
  fetch: async (digest) => {
    fetched.push(digest);
    const found = programs.find(({ build }) => build.digest === digest);
    if (!found) throw new ProblemError('blob.not-found', digest);
    return await Promise.resolve(found.bytes);
  },
});
const nobody = managerWith();

const counting = ((...args: Parameters<typeof spawn>) => {
  starts += 1;
  return spawn(...args);
}) as typeof spawn;

const openStore = (options: { sources?: readonly string[]; keep?: number; arch?: string } = {}) =>
  createEngineStore({
    stateDir: state,
    own: createEngineFinder({ candidates: [], spawn }),
    arch: 'x64',
    sources: [],
    keep: 1,
    spawn: counting,
    disk: createDisk(),
    log: silentLogger,
    ...options,
  });

describe('a build that an order names', () => {
  test('comes from the manager once, is private, and is asked for its version once', async () => {
    const wanted = program('1.14.4');
    const store = openStore();
    await expect(store.find(wanted.build)).rejects.toMatchObject({ code: 'engine.not-found' });
    await store.fetch?.(wanted.build, managerWith(wanted), signal);
    await store.fetch?.(wanted.build, nobody, signal);
    const engine = await store.find(wanted.build);
    expect(engine).toEqual({
      kind: 'sing-box',
      path: fileOf(wanted.build),
      version: '1.14.4',
      tags: ['with_quic', 'with_clash_api'],
      digest: wanted.build.digest,
    });
    expect(engineName(engine)).toBe(`sing-box 1.14.4 (${wanted.build.digest.slice(0, 19)})`);
    expect([fetched.length, starts, statSync(engine.path).mode & 0o777]).toEqual([1, 1, 0o700]);
    expect(await openStore().find(wanted.build)).toEqual(engine);
  });

  test('is never the machine’s own, and without one the machine’s own is asked for', async () => {
    const own = path.join(state, 'own');
    writeFileSync(own, program('1.13.0').bytes);
    chmodSync(own, 0o755);
    const store = createEngineStore({
      stateDir: state,
      own: createEngineFinder({ candidates: [own], spawn }),
      arch: 'x64',
      sources: [],
      keep: 1,
      spawn,
      disk: createDisk(),
      log: silentLogger,
    });
    expect(await store.find()).toMatchObject({ version: '1.13.0', path: own });
    await expect(store.find(program('1.13.0', { says: 'sing-box version 1.13.0 ' }).build)).rejects.toMatchObject({
      code: 'engine.not-found',
    });
  });

  test('that rotted on the disk is not started, and is fetched again', async () => {
    const wanted = program('1.14.4');
    await openStore().fetch?.(wanted.build, managerWith(wanted), signal);
    writeFileSync(fileOf(wanted.build), `#!/bin/sh\necho "sing-box version 6.6.6"\n`);
    await expect(openStore().find(wanted.build)).rejects.toMatchObject({ code: 'engine.not-found' });
    expect(starts).toBe(1);
    const store = openStore();
    await store.fetch?.(wanted.build, managerWith(wanted), signal);
    expect((await store.find(wanted.build)).version).toBe('1.14.4');
  });

  test('of other bytes than its digest is refused, and nothing of it stays', async () => {
    const wanted = program('1.14.4');
    const liar: BlobSource = { fetch: async () => await Promise.resolve(Buffer.from(wanted.bytes).fill(35, 20, 24)) };
    await expect(openStore().fetch?.(wanted.build, liar, signal)).rejects.toMatchObject({
      code: 'blob.digest-mismatch',
    });
    expect(readdirSync(path.join(state, 'engines', 'sha256'))).toEqual([]);
    expect(starts).toBe(0);
  });

  test('for another machine is refused before a byte is fetched, and by its header', async () => {
    const other = program('1.14.4', { arch: 'arm64' });
    await expect(openStore().fetch?.(other.build, managerWith(other), signal)).rejects.toMatchObject({
      code: 'engine.unsupported',
      message: expect.stringContaining('is for arm64, this server is x64'),
    });
    expect(fetched).toEqual([]);
    const bytes = Buffer.alloc(64);
    bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
    bytes[18] = 0xb7;
    const elf = { bytes, build: { digest: digestOf(bytes, sha256), size: 64, version: '1.14.4', arch: 'x64' } };
    await expect(openStore().fetch?.(elf.build, managerWith(elf), signal)).rejects.toMatchObject({
      code: 'engine.unsupported',
      message: expect.stringContaining('is for arm64'),
    });
    expect(starts).toBe(0);
  });

  test('that is no sing-box is refused', async () => {
    const other = program('1.14.4', { says: 'hello' });
    await expect(openStore().fetch?.(other.build, managerWith(other), signal)).rejects.toMatchObject({
      code: 'engine.unsupported',
    });
  });
});

describe('configured places', () => {
  const wanted = program('1.14.4');
  const hex = wanted.build.digest.slice(7);

  test.each([hex, 'sing-box-1.14.4-x64'])('a directory that has %s is asked before the manager', async (name) => {
    const place = mkdtempSync(path.join(root, 'place-'));
    writeFileSync(path.join(place, name), wanted.bytes);
    const store = openStore({ sources: [path.join(root, 'none'), place] });
    await store.fetch?.(wanted.build, nobody, signal);
    expect((await store.find(wanted.build)).version).toBe('1.14.4');
    expect(fetched).toEqual([]);
  });

  test('another program of the same name and size is passed by', async () => {
    const place = mkdtempSync(path.join(root, 'place-'));
    writeFileSync(path.join(place, 'sing-box-1.14.4-x64'), Buffer.alloc(wanted.bytes.length, 32));
    const store = openStore({ sources: [place] });
    await store.fetch?.(wanted.build, managerWith(wanted), signal);
    expect((await store.find(wanted.build)).version).toBe('1.14.4');
    expect(fetched).toEqual([wanted.build.digest]);
  });

  test('a web address, also one that breaks off or has nothing', async () => {
    let isBroken = true;
    const server = createServer((request, response) => {
      if (request.url !== `/engines/${hex}`) response.writeHead(404).end('no');
      else if (isBroken)
        response.writeHead(200, { 'content-length': wanted.bytes.length }).write(wanted.bytes.subarray(0, 9));
      else response.writeHead(200).end(wanted.bytes);
      if (isBroken && request.url === `/engines/${hex}`) setImmediate(() => response.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      const store = openStore({ sources: [`${base}/nothing/`, `${base}/engines`] });
      await expect(store.fetch?.(wanted.build, nobody, signal)).rejects.toMatchObject({ code: 'blob.not-found' });
      isBroken = false;
      fetched = [];
      await store.fetch?.(wanted.build, nobody, signal);
      expect(fetched).toEqual([]);
      expect((await store.find(wanted.build)).version).toBe('1.14.4');
    } finally {
      server.close();
    }
  });
});

test('builds that a version needs stay, of the others the most recent', async () => {
  const programs = ['1.12.1', '1.12.2', '1.13.1', '1.14.4'].map((version) => program(version));
  const store = openStore();
  for (const [age, { build, bytes }] of programs.entries()) {
    await store.fetch?.(build, managerWith({ build, bytes }), signal);
    utimesSync(fileOf(build), 1000 + age, 1000 + age);
  }
  mkdirSync(path.join(state, 'engines', 'sha256'), { recursive: true });
  const parts = ['fresh.part', 'old.part'].map((name) => path.join(state, 'engines', 'sha256', name));
  for (const part of parts) writeFileSync(part, 'x');
  utimesSync(parts[1] ?? '', 1000, 1000);
  await store.keep?.(new Set([programs[0]?.build.digest ?? '']));
  expect(programs.map(({ build }) => existsSync(fileOf(build)))).toEqual([true, false, false, true]);
  expect(parts.map((part) => existsSync(part))).toEqual([true, false]);
});
