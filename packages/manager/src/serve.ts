import { Writable } from 'node:stream';
import { readSettings, type SettingsInput } from '@sbox/daemon/config';
import { untilAborted } from '@sbox/daemon/lifecycle';
import { createLogger } from '@sbox/daemon/log';
import { createWinstonSink } from './log-winston.ts';
import { startManager } from './manager.ts';
import { settingsSchema } from './settings.ts';

export interface ServeOptions extends Omit<SettingsInput, 'prefix'> {
  /** Prints one line of JSON once requests are answered. */
  readonly ready?: boolean;
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
  { ready = false, ...input }: ServeOptions,
  { stdout, stderr, signal }: ServeStreams,
): Promise<void> {
  const { value: settings } = readSettings(settingsSchema, { ...input, prefix: 'SBOXMGR' });
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const log = createLogger(createWinstonSink(stderr ?? nowhere), settings.log.level);
  await using manager = await startManager(settings, { log });
  const { url, adminTokenFile, pin, caFile } = manager;
  if (ready) {
    const line = { ready: true, url, admin_token_file: adminTokenFile, pin, ca_file: caFile };
    stdout.write(`${JSON.stringify(line)}\n`);
  }
  await untilAborted(signal);
}

/** What a setting is and who set it. @throws ProblemError `settings.invalid` */
export const explainSetting = (input: Omit<SettingsInput, 'prefix'>, key: string) =>
  readSettings(settingsSchema, { ...input, prefix: 'SBOXMGR' }).explain(key);
