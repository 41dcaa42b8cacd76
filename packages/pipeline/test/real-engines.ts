import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { EngineTarget } from '@sbox/engines/sing-box/render';
import { singBox } from '@sbox/engines/sing-box/run';

const tools = path.resolve(import.meta.dirname, '../../../.tools/bin');

export interface RealEngine {
  readonly name: string;
  readonly program: string;
  readonly target: EngineTarget;
}

const older = ['sing-box-1.13', 'sing-box-1.12']
  .map((name) => path.join(tools, name))
  .filter((file) => existsSync(file));
const more = (process.env['SBOX_ENGINES'] ?? '').split(':').filter(Boolean);

/** The pinned sing-box first, the older lines that are here, and the builds of `SBOX_ENGINES`. */
export const engines: readonly RealEngine[] = [path.join(tools, 'sing-box'), ...older, ...more].map((program) => {
  const found = singBox.parseVersion(spawnSync(program, ['version'], { encoding: 'utf8' }).stdout);
  if (found === undefined) throw new Error(`${program} is not there: run ./scripts/setup`);
  return { name: `sing-box ${found.version}`, program, target: { engine: 'sing-box', ...found } };
});

const pinned = engines[0] as RealEngine;

/** For the record of a run. */
export const saidOfEngines = (): string => `templates on ${engines.map(({ name }) => name).join(', ')}\n`;

/** A directory that engines run in; remove it in `afterAll`. */
export function createWorkplace() {
  const dir = mkdtempSync(path.join(tmpdir(), 'sbox-pipeline-'));
  const run = (program: string, args: readonly string[], input?: string) =>
    spawnSync(program, args, { cwd: dir, encoding: 'utf8', input });
  return {
    dir,
    /** What the engine says about a configuration; empty when it takes it without a word. */
    check({ program }: RealEngine, text: string): string {
      const { status, stderr } = run(program, ['check', '--disable-color', '-D', dir, '-c', 'stdin'], text);
      return status === 0 ? stderr : `refused: ${stderr}`;
    },
    start({ program }: RealEngine, text: string): ChildProcess {
      const child = spawn(program, ['run', '--disable-color', '-D', dir, '-c', 'stdin'], {
        cwd: dir,
        stdio: ['pipe', 'ignore', 'pipe'],
      });
      child.stdin?.end(text);
      return child;
    },
    /** A compiled rule-set at this path of the directory. */
    compileRuleSet(name: string, rule: object): void {
      const file = path.join(dir, name);
      mkdirSync(path.dirname(file), { recursive: true });
      writeFileSync(`${file}.json`, JSON.stringify({ version: 1, rules: [rule] }));
      const { status, stderr } = run(pinned.program, ['rule-set', 'compile', `${file}.json`, '-o', file]);
      if (status !== 0) throw new Error(stderr);
    },
    /** A certificate for example.test and its key. */
    makeCertificate(): { readonly certificate_path: string; readonly key_path: string } {
      const { stdout } = run(pinned.program, ['generate', 'tls-keypair', 'example.test']);
      const [key = '', certificate = ''] = stdout.split(/(?=-----BEGIN CERTIFICATE)/);
      const paths = { certificate_path: path.join(dir, 'certificate.pem'), key_path: path.join(dir, 'key.pem') };
      writeFileSync(paths.certificate_path, certificate);
      writeFileSync(paths.key_path, key);
      return paths;
    },
    remove: () => rmSync(dir, { recursive: true }),
  };
}

/** What the engine wrote until it had started, at the level `info`; fails with its last words when it ends instead. */
export async function started({ stderr }: ChildProcess): Promise<string[]> {
  const lines: string[] = [];
  if (stderr === null) throw new Error('its standard error is not read');
  const reader = createInterface({ input: stderr });
  for await (const line of reader) {
    lines.push(line);
    if (/sing-box started/.test(line)) return lines;
  }
  throw new Error(lines.at(-1) ?? 'it ended without a word');
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
