import type { spawn as nodeSpawn } from 'node:child_process';
import * as fs from 'node:fs/promises';
import { ProblemError } from '@sbox/core';
import { singBox } from '@sbox/engines/sing-box/run';
import { runCommand } from './run-command.ts';

export interface Engine {
  readonly kind: 'sing-box';
  /** Of the program, absolute. */
  readonly path: string;
  readonly version: string;
  readonly tags: readonly string[];
}

export interface EngineFinder {
  /** The first of the candidates that is there; asked for its version again only when the file changed. @throws ProblemError `engine.not-found` */
  find(): Promise<Engine>;
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
    async find() {
      for (const candidate of candidates) {
        const stat = await fs.stat(candidate).catch(() => undefined);
        if (stat === undefined || !stat.isFile()) continue;
        const key = `${candidate} ${stat.ino} ${stat.size} ${stat.mtimeMs}`;
        const engine = known.get(key) ?? (await ask(spawn, await fs.realpath(candidate)));
        if (engine === undefined) continue;
        known.clear();
        known.set(key, engine);
        return engine;
      }
      throw new ProblemError('engine.not-found', `no sing-box at ${candidates.join(', ') || 'any known place'}`);
    },
  };
}

async function ask(spawn: typeof nodeSpawn, path: string): Promise<Engine | undefined> {
  const { args } = singBox.versionCommand();
  const command = { program: path, args, timeoutMs: versionTimeoutMs };
  const answer = await runCommand(spawn, command).catch(() => undefined);
  const found = answer === undefined ? undefined : singBox.parseVersion(answer.stdout);
  return found === undefined ? undefined : { kind: 'sing-box', path, ...found };
}
