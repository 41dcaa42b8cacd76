import { Writable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { ProblemError } from '@sbox/core';
import { leafKeys, readSettings, type SettingsInput } from '@sbox/daemon/config';
import { untilAborted } from '@sbox/daemon/lifecycle';
import { createLogger } from '@sbox/daemon/log';
import { createWinstonSink } from './log-winston.ts';
import { startManager, type Manager } from './manager.ts';
import { openRescue, type Rescue } from './rescue.ts';
import { rotateOnlineKey } from './rotate-online-key.ts';
import { settingsSchema } from './settings.ts';

export interface ServeOptions extends Omit<SettingsInput, 'prefix'> {
  /** Prints one line of JSON once requests are answered. */
  readonly ready?: boolean;
  /** Told where the manager is, once requests are answered. */
  readonly onReady?: (manager: Pick<Manager, 'url' | 'adminTokenFile' | 'caFile'>) => void;
}

export interface ServeStreams {
  readonly stdout: { write(text: string): unknown };
  /** Takes the log; without it nothing is logged. */
  readonly stderr?: Writable;
  readonly signal: AbortSignal;
}

/**
 * Runs a manager until the signal aborts. Settings: flag > `SBOXMGR_*` > files > default.
 * @throws ProblemError `settings.invalid`, `settings.unsafe`, `port.in-use`, `manager.running`
 */
export async function serve(
  { ready = false, onReady, ...input }: ServeOptions,
  { stdout, stderr, signal }: ServeStreams,
): Promise<void> {
  // Else V8 may take what lives long while it starts for what always does, and gives the parts of every query to the old
  // generation from then on: by luck up to 18 KiB a request, and a full collection every few seconds (docs/performance.md).
  setFlagsFromString('--no-allocation-site-pretenuring');
  const { value: settings } = readSettings(settingsSchema, { ...input, prefix: 'SBOXMGR' });
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const log = createLogger(createWinstonSink(stderr ?? nowhere), settings.log.level);
  await using manager = await startManager(settings, { log, environment: input.environment ?? {} });
  const { url, adminTokenFile, pin, caFile } = manager;
  if (ready) {
    const line = { ready: true, url, admin_token_file: adminTokenFile, pin, ca_file: caFile };
    stdout.write(`${JSON.stringify(line)}\n`);
  }
  onReady?.(manager);
  await untilAborted(signal);
}

/** Gives the manager of these settings another key to sign orders with. @throws ProblemError `manager.running`, `file.not-found` */
export async function rotateKey(input: Omit<SettingsInput, 'prefix'>): Promise<{ keyid: string }> {
  const { value } = readSettings(settingsSchema, { ...input, prefix: 'SBOXMGR' });
  return await rotateOnlineKey(value.data_dir);
}

/** The data of the manager of these settings, for repairs that need no login. @throws ProblemError `file.not-found`, `manager.running` */
export async function rescue(input: Omit<SettingsInput, 'prefix'>): Promise<Rescue> {
  const { value } = readSettings(settingsSchema, { ...input, prefix: 'SBOXMGR' });
  return await openRescue(value.data_dir);
}

/** What a setting is and who set it. @throws ProblemError `settings.invalid`, also for a key that is none */
export function explainSetting(input: Omit<SettingsInput, 'prefix'>, key: string) {
  const keys = leafKeys(settingsSchema);
  if (!keys.includes(key)) {
    throw new ProblemError('settings.invalid', `${key} is no setting`, { fix: `One of: ${keys.join(', ')}` });
  }
  return readSettings(settingsSchema, { ...input, prefix: 'SBOXMGR' }).explain(key);
}
