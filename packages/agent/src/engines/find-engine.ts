import type { spawn as nodeSpawn } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { ProblemError } from '@sbox/core';
import { singBox } from '@sbox/engines/sing-box/run';
import type { EngineBuild } from '@sbox/protocol';
import type { BlobSource } from '../order.ts';
import { runCommand } from './run-command.ts';

export interface Engine {
  readonly kind: 'sing-box';
  /** Of the program, absolute. */
  readonly path: string;
  /** Of a build that an order names: what the order calls it. */
  readonly version: string;
  readonly tags: readonly string[];
  /** Of the program, where an order named it; the machine's own is what its package manager made it. */
  readonly digest?: string;
}

export { engineName } from './engine-name.ts';

export interface EngineFinder {
  /**
   * Exactly this build, or without one the machine's own: the first of the candidates that is there. Asked for its
   * version again only when the file changed. Never waits for a network.
   * @throws ProblemError `engine.not-found`, `engine.unsupported`
   */
  find(build?: EngineBuild): Promise<Engine>;
  /**
   * Gets a build unless it is here already. Absent: only the machine's own engine can be had.
   * @throws ProblemError `blob.*`, `disk.full`, `engine.unsupported`
   */
  readonly fetch?: (build: EngineBuild, blobs: BlobSource, signal: AbortSignal) => Promise<void>;
  /** Removes builds, except these and the most recent ones. */
  readonly keep?: (digests: ReadonlySet<string>) => Promise<void>;
}

export interface EngineFinderDeps {
  /** Absolute paths, best first. */
  readonly candidates: readonly string[];
  readonly spawn: typeof nodeSpawn;
}

/** A cold disk may need seconds for the first start of a 45 MB program. */
const versionTimeoutMs = 10_000;

export function createEngineFinder({ candidates, spawn }: EngineFinderDeps): EngineFinder {
  const known = new Map<string, Engine>();
  return {
    async find(build) {
      if (build !== undefined) throw new ProblemError('engine.not-found', `sing-box ${build.version} is not kept here`);
      for (const candidate of candidates) {
        const stat = await fs.stat(candidate).catch(() => undefined);
        if (stat === undefined || !stat.isFile()) continue;
        const key = `${candidate} ${stat.ino} ${stat.size} ${stat.mtimeMs}`;
        const engine = known.get(key) ?? (await askEngine(spawn, await fs.realpath(candidate)));
        if (engine === undefined) continue;
        known.clear();
        known.set(key, engine);
        return engine;
      }
      throw new ProblemError('engine.not-found', `no sing-box at ${candidates.join(', ') || 'any known place'}`);
    },
  };
}

/** What a program says of itself; undefined when it is no sing-box, or does not run here. */
export async function askEngine(spawn: typeof nodeSpawn, path: string): Promise<Engine | undefined> {
  const { args } = singBox.versionCommand();
  const command = { program: path, args, timeoutMs: versionTimeoutMs };
  const answer = await runCommand(spawn, command).catch(() => undefined);
  const found = answer === undefined ? undefined : singBox.parseVersion(answer.stdout);
  return found === undefined ? undefined : { kind: 'sing-box', path, ...found };
}
