import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { freePorts } from './free-ports.ts';
import { type RunningProcess, startProcess } from './processes.ts';

/** The sing-box that tests run: `SBOX_SING_BOX`, else the one that ./scripts/setup fetched. */
export function pinnedSingBox(): string {
  const file = process.env['SBOX_SING_BOX'] ?? path.join(import.meta.dirname, '../../../.tools/bin/sing-box');
  if (!existsSync(file)) throw new Error(`no sing-box at ${file}: run ./scripts/setup, or set SBOX_SING_BOX`);
  return file;
}

export interface SingBoxOptions {
  singBox: string;
  /** Gets `sing-box.json` and `sing-box.log`. */
  dir: string;
  /** How many ports to find, or exactly these. */
  ports: number | readonly number[];
  config: (ports: readonly number[]) => unknown;
  signal?: AbortSignal;
}

export interface RunningSingBox extends AsyncDisposable {
  readonly ports: readonly number[];
  readonly process: RunningProcess;
}

const attempts = 3;

/** Runs sing-box until disposed. Its inbounds cannot say "any port", so lost races for a free port are run again. */
export async function startSingBox(options: SingBoxOptions): Promise<RunningSingBox> {
  const { singBox, dir, signal } = options;
  await mkdir(dir, { recursive: true });
  const file = path.join(dir, 'sing-box.json');
  for (let attempt = 1; ; attempt += 1) {
    const ports = typeof options.ports === 'number' ? await freePorts(options.ports) : options.ports;
    await writeFile(file, JSON.stringify(options.config(ports), null, 2), { mode: 0o600 });
    try {
      const running = await startProcess({
        command: singBox,
        args: ['run', '-D', dir, '-c', file, '--disable-color'],
        logFile: path.join(dir, 'sing-box.log'),
        readyLine: /sing-box started/,
        ...(signal === undefined ? {} : { signal }),
      });
      return { ports, process: running, [Symbol.asyncDispose]: async () => await running[Symbol.asyncDispose]() };
    } catch (error) {
      const isPortTaken = String(error).includes('address already in use');
      if (!isPortTaken || attempt === attempts) throw error;
    }
  }
}
