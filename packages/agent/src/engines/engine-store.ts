import type { spawn as nodeSpawn } from 'node:child_process';
import path from 'node:path';
import { isDigest, ProblemError } from '@sbox/core';
import type { Logger } from '@sbox/daemon/log';
import { programArch, programHeadBytes } from '@sbox/engines/sing-box/run';
import type { EngineBuild } from '@sbox/protocol';
import { isFresh } from '../state/blobs.ts';
import type { Disk } from '../state/disk.ts';
import { createLargeFiles, type LargeFiles } from '../state/large-files.ts';
import { createFetchEngine } from './fetch-engine.ts';
import { askEngine, type Engine, type EngineFinder } from './find-engine.ts';

export interface EngineStoreDeps {
  readonly stateDir: string;
  /** Finds the machine's own engine, for orders that name no build. */
  readonly own: EngineFinder;
  /** As Node says it. */
  readonly arch: string;
  /** Directories and web addresses that are asked before the manager. */
  readonly sources: readonly string[];
  /** How many builds stay that nothing refers to. */
  readonly keep: number;
  readonly spawn: typeof nodeSpawn;
  readonly disk: Disk;
  readonly log: Logger;
}

/** No build of an engine comes near it. */
const maxEngineBytes = 256 * 1024 * 1024;

/** Programs under `engines/sha256/<hex>`. Each is verified before it is started for the first time, and after it changed. */
export function createEngineStore(deps: EngineStoreDeps): EngineFinder {
  const { own, arch, disk } = deps;
  const files = createLargeFiles();
  const directory = path.join(deps.stateDir, 'engines', 'sha256');
  const fetchEngine = createFetchEngine({ ...deps, files });
  const known = new Map<string, Engine>();
  const fileOf = ({ digest }: EngineBuild): string => {
    if (!isDigest(digest)) throw new ProblemError('manifest.invalid', 'a digest is sha256: and 64 hex digits');
    return path.join(directory, digest.slice('sha256:'.length));
  };

  const find = async (build: EngineBuild): Promise<Engine> => {
    refuseOtherArch(build.arch, arch, build.version);
    const file = fileOf(build);
    const facts = await files.facts(file);
    if (facts === undefined) {
      throw new ProblemError('engine.not-found', `sing-box ${build.version} (${build.digest}) is not on this server`, {
        fix: 'It is fetched when its config is deployed again.',
      });
    }
    const key = `${build.digest} ${facts.mark}`;
    const found = known.get(key) ?? (await verify({ ...deps, files }, build, file));
    known.set(key, found);
    return { ...found, version: build.version };
  };

  return {
    find: async (build) => await (build === undefined ? own.find() : find(build)),
    async fetch(build, blobs, signal) {
      refuseOtherArch(build.arch, arch, build.version);
      if (build.size > maxEngineBytes) {
        throw new ProblemError('engine.unsupported', `${build.size} bytes are more than an engine may have`);
      }
      // What is here but of no use any more has been removed by the look at it.
      if (await find(build).then(() => true, ignoreMissing)) return;
      await disk.makeDirectory(directory);
      await fetchEngine({ build, file: fileOf(build), blobs, signal });
      await find(build);
    },
    keep: async (digests) => await tidy({ ...deps, files }, directory, digests),
  };
}

type Verifying = Pick<EngineStoreDeps, 'arch' | 'disk' | 'spawn'> & { readonly files: LargeFiles };

/** @throws ProblemError `engine.not-found` when it is another program than it was, `engine.unsupported` when it does not run here */
async function verify({ arch, disk, spawn, files }: Verifying, build: EngineBuild, file: string): Promise<Engine> {
  if ((await files.digestOf(file)) !== build.digest) {
    await disk.remove(file);
    throw new ProblemError('engine.not-found', `sing-box ${build.version} has rotted on the disk and was removed`);
  }
  const madeFor = programArch(await files.head(file, programHeadBytes));
  if (madeFor !== undefined) refuseOtherArch(madeFor, arch, build.version);
  const engine = await askEngine(spawn, file);
  if (engine !== undefined) return { ...engine, digest: build.digest };
  throw new ProblemError('engine.unsupported', `${build.digest} is no sing-box that runs on this server`);
}

type Tidying = Pick<EngineStoreDeps, 'disk' | 'keep'> & { readonly files: LargeFiles };

async function tidy({ disk, keep, files }: Tidying, directory: string, digests: ReadonlySet<string>): Promise<void> {
  const unused: { readonly entry: string; readonly ageMs: number }[] = [];
  for (const name of await disk.list(directory)) {
    const entry = path.join(directory, name);
    if (name.endsWith('.part')) {
      if (!(await isFresh(files, entry))) await disk.remove(entry);
    } else if (!digests.has(`sha256:${name}`)) {
      unused.push({ entry, ageMs: (await files.facts(entry))?.ageMs ?? Infinity });
    }
  }
  for (const { entry } of unused.toSorted((a, b) => a.ageMs - b.ageMs).slice(keep)) await disk.remove(entry);
}

function refuseOtherArch(arch: string, own: string, version: string): void {
  if (arch === own) return;
  throw new ProblemError('engine.unsupported', `sing-box ${version} is for ${arch}, this server is ${own}`, {
    fix: `Add a build for ${own}: sboxmgr engine add FILE`,
  });
}

function ignoreMissing(error: unknown): false {
  if (error instanceof ProblemError && error.code === 'engine.not-found') return false;
  throw error;
}
