// A state directory as an agent leaves it, and a scene around it, without any agent.
import { mkdirSync, symlinkSync, writeFileSync, rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { isoTime, ProblemError, systemClock } from '@sbox/core';
import type { Unit } from '@sbox/protocol';
import type { ListenPort } from '@sbox/engines/sing-box/run';
import * as z from 'zod/mini';
import { createScene, type Scene, type SceneDeps } from '../src/doctor/scene.ts';
import { agentSettingsSchema } from '../src/settings/schema.ts';
import { printLine, type JournalRecord, type JournalStep } from '../src/state/journal.ts';
import type { LiveSlot } from '../src/state/slots.ts';
import { createProc } from '../src/supervisor/proc.ts';
import { digestOfBytes } from './manager-double.ts';
import { plainUnit } from './plain-manifest.ts';

export interface VersionOptions {
  readonly generation: number;
  readonly listens?: readonly ListenPort[];
  readonly probeUrls?: readonly string[];
  readonly step?: JournalStep;
}

export interface StateDouble extends AsyncDisposable {
  readonly directory: string;
  /** Writes blob, slot and links of a version of the unit `edge`, and its step into the journal. */
  addVersion(options: VersionOptions): LiveSlot;
  write(name: string, text: string | Uint8Array): void;
  scene(more?: Partial<SceneDeps> & { readonly set?: Readonly<Record<string, unknown>> }): Scene;
}

export const listenOn = (listen_port: number, listen = '127.0.0.1'): ListenPort => ({
  tag: 'in',
  path: 'inbounds[0]',
  listen,
  listen_port,
  network: 'tcp',
});

export async function openStateDouble(): Promise<StateDouble> {
  const directory = await mkdtemp(path.join(process.env['SBOX_TEST_DIR'] ?? os.tmpdir(), 'sbox-state-'));
  const records: JournalRecord[] = [];
  const write = (name: string, text: string | Uint8Array): void => {
    const file = path.join(directory, name);
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    writeFileSync(file, text, { mode: 0o600 });
  };
  const link = (name: string, target: string): void => {
    rmSync(path.join(directory, name), { force: true });
    symlinkSync(target, path.join(directory, name));
  };
  return {
    directory,
    write,
    addVersion({ generation, listens = [], probeUrls = [], step = 'HEALTHY' }) {
      const rendition = Buffer.from(JSON.stringify({ note: `rendition ${generation}` }));
      const config = Buffer.from(JSON.stringify({ note: `config ${generation}` }));
      const digest = digestOfBytes(rendition);
      const name = `1.${generation}-1`;
      const unit = unitOf(digest, rendition.length, probeUrls);
      const slot = {
        unit,
        name,
        epoch: 1,
        generation,
        control: { address: '127.0.0.1:1', secret: 'secret' },
        probe_port: 0,
        ports: {},
        report: { digest: digestOfBytes(config), probe: null, listens, removed: [], spare: [] },
        isTried: true,
        proved: null,
        engine: 'sing-box 1.14.4',
      } as unknown as LiveSlot;
      write(`blobs/sha256/${digest.slice('sha256:'.length)}`, rendition);
      write(`slots/edge/${name}/config.json`, config);
      write(`slots/edge/${name}/slot.json`, JSON.stringify(slot));
      link('slots/edge/current', name);
      if (step === 'HEALTHY') link('slots/edge/lkg', name);
      const units = [{ name: 'edge', digest, overlay: slot.report.digest, slot: name, config_id: null, version: null }];
      const at = isoTime(Date.now());
      records.push({ step, at, epoch: 1, generation, source: 'manager', units, code: null, message: null });
      write('journal.ndjson', records.map(printLine).join(''));
      return slot;
    },
    scene({ set = {}, ...more } = {}) {
      return createScene({
        settings: z.parse(agentSettingsSchema, { state_dir: directory, ...set }),
        stateDir: directory,
        clock: systemClock,
        uid: process.getuid?.() ?? 0,
        proc: createProc(),
        run: async (program) => await Promise.reject(new Error(`no ${program} here`)),
        findEngine: async () => await Promise.resolve(undefined),
        agent: absentAgent,
        ...more,
      });
    },
    [Symbol.asyncDispose]: async () => await rm(directory, { recursive: true, force: true }),
  };
}

const unitOf = (digest: string, size: number, urls: readonly string[]): Unit =>
  plainUnit({
    name: 'edge',
    config: { digest, size, config_id: null, version: null },
    probe: { urls: [...urls], expect: [204], need: 1, timeout_ms: 1000 },
    watch_ms: 1000,
  });

/** What every command gets where no agent runs. */
const absentAgent = new Proxy({} as SceneDeps['agent'], {
  get: () => async () =>
    await Promise.reject(
      new ProblemError('agent.unreachable', 'connect ENOENT', {
        cause: Object.assign(new Error('ENOENT'), { code: 'ENOENT' }),
      }),
    ),
});
