import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { EngineTarget } from '../src/sing-box/render.ts';
import { singBox } from '../src/sing-box/run.ts';

const tools = path.resolve(import.meta.dirname, '../../../.tools');

export interface RealEngine {
  readonly name: string;
  readonly program: string;
  readonly target: EngineTarget;
}

/** The pinned sing-box, and the older lines where `./scripts/setup --engines` has brought them. */
export const engines: readonly RealEngine[] = ['sing-box', 'sing-box-1.13', 'sing-box-1.12']
  .map((name) => path.join(tools, 'bin', name))
  .filter((program) => program.endsWith('sing-box') || existsSync(program))
  .map((program) => {
    const { stdout } = spawnSync(program, ['version'], { encoding: 'utf8' });
    const found = singBox.parseVersion(stdout);
    if (found === undefined) throw new Error(`${program} is not there: run ./scripts/setup`);
    return { name: `sing-box ${found.version}`, program, target: { engine: 'sing-box', ...found } };
  });

export const pinned = engines[0] as RealEngine;

/** A directory for one test file; remove it in `afterAll`. */
export function createWorkplace() {
  const dir = mkdtempSync(path.join(tmpdir(), 'sbox-engines-'));
  const write = (text: string): string => {
    const file = path.join(dir, `${crypto.randomUUID()}.json`);
    writeFileSync(file, text);
    return file;
  };
  return {
    dir,
    /** Undefined when the engine accepts the configuration, else its words. */
    check(engine: RealEngine, text: string): string | undefined {
      const { args } = singBox.checkCommand(write(text));
      const { status, stderr } = spawnSync(engine.program, args, { encoding: 'utf8' });
      return status === 0 ? undefined : stderr;
    },
    start(engine: RealEngine, text: string): ChildProcess {
      const { args } = singBox.runCommand(write(text), dir);
      return spawn(engine.program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    },
    remove: () => rmSync(dir, { recursive: true }),
  };
}

/** A port that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}
