import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { EngineTarget } from '../src/sing-box/render.ts';
import { plainText, singBox } from '../src/sing-box/run.ts';

const tools = path.resolve(import.meta.dirname, '../../../.tools');

export interface RealEngine {
  readonly name: string;
  readonly program: string;
  readonly target: EngineTarget;
}

const isHere = (program: string): boolean => program.endsWith('/bin/sing-box') || existsSync(program);
/** Programs by their paths, `:` between them: builds that pip does not have, see `./scripts/engines`. */
const more = (process.env['SBOX_ENGINES'] ?? '').split(':').filter(Boolean);

/** The pinned sing-box, the older lines where `./scripts/setup --engines` has brought them, and `SBOX_ENGINES`. */
export const engines: readonly RealEngine[] = ['sing-box', 'sing-box-1.13', 'sing-box-1.12']
  .map((name) => path.join(tools, 'bin', name))
  .filter(isHere)
  .concat(more)
  .map((program) => {
    const { stdout } = spawnSync(program, ['version'], { encoding: 'utf8' });
    const found = singBox.parseVersion(stdout);
    if (found === undefined) throw new Error(`${program} is not there: run ./scripts/setup`);
    const name = `sing-box ${found.version}${found.tags.includes('with_utls') ? ' with_utls' : ''}`;
    return { name, program, target: { engine: 'sing-box', ...found } };
  });

export const pinned = engines[0] as RealEngine;

/** For the record of a run: what it could ask, and what it could not. */
export function saidOfEngines(): string {
  const lines = engines.map(({ target: { version, tags } }) => `${version} (${tags.join(' ')})`);
  const hasUtls = engines.some(({ target }) => target.tags.includes('with_utls'));
  const hasOldest = engines.some(({ target }) => target.version.startsWith('1.11.'));
  const missing = [hasUtls ? '' : 'with_utls', hasOldest ? '' : '1.11'].filter(Boolean).join(', ');
  return `sing-box: ${lines.join('; ')}${missing === '' ? '' : `; not here: ${missing} (./scripts/engines builds them)`}\n`;
}

/** A directory for one test file; remove it in `afterAll`. */
export function createWorkplace() {
  const dir = mkdtempSync(path.join(tmpdir(), 'sbox-engines-'));
  const running = new Set<ChildProcess>();
  const write = (text: string): string => {
    const file = path.join(dir, `${crypto.randomUUID()}.json`);
    writeFileSync(file, text);
    return file;
  };
  const start = (engine: RealEngine, text: string): ChildProcess => {
    const { args } = singBox.runCommand(write(text), dir);
    const child = spawn(engine.program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    running.add(child);
    child.once('exit', () => running.delete(child));
    return child;
  };
  return {
    dir,
    /** Undefined when the engine accepts the configuration, else its words. */
    check(engine: RealEngine, text: string): string | undefined {
      const { args } = singBox.checkCommand(write(text));
      const { status, stderr } = spawnSync(engine.program, args, { encoding: 'utf8' });
      return status === 0 ? undefined : stderr;
    },
    start,
    /** Runs the engine as long as `use` takes; `said` is what it wrote until it had started or ended. */
    async run<T>(engine: RealEngine, text: string, use: (said: string) => T | Promise<T>): Promise<T> {
      const child = start(engine, text);
      try {
        return await use(await untilStarted(child));
      } finally {
        const exited = child.exitCode === null ? once(child, 'exit') : undefined;
        if (child.pid !== undefined && exited !== undefined) process.kill(child.pid, 'SIGKILL');
        await exited;
      }
    },
    /** Also ends what a test that took too long has left running. */
    remove(): void {
      for (const child of running) child.kill('SIGKILL');
      rmSync(dir, { recursive: true });
    },
  };
}

export const started = 'sing-box started';

/** Reads what the engine writes until it says that it has started, or until it ends. */
async function untilStarted(engine: ChildProcess): Promise<string> {
  const exited = once(engine, 'exit');
  let said = '';
  for await (const line of createInterface({ input: engine.stderr! })) {
    said += `${plainText(line)}\n`;
    if (line.includes(started)) return said;
  }
  await exited;
  return said;
}

/**
 * A loopback port that nobody listens on now. Below those that agents choose for slots (20,000 on) and that Linux gives to
 * outgoing connections (32,768 on): what runs beside a test takes those before the engine binds its own.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = 10_000 + Math.floor(Math.random() * 9_900);
    if (await isFree(port)) return port;
  }
  throw new Error('no free port was found');
}

const isFree = async (port: number): Promise<boolean> =>
  await new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
