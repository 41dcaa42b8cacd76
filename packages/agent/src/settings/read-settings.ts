import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, ProblemError } from '@sbox/core';
import { agentSettingsSchema, type AgentSettings } from './schema.ts';

export interface SettingsSources {
  /** `--config`: a file, or a directory whose `*.yaml` are merged in name order. */
  readonly config?: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** By dotted key. */
  readonly flags?: Readonly<Record<string, unknown>>;
}

const defaultDirectory = '/etc/sboxagent';
const maxBytes = 1024 * 1024;

/**
 * Settings of the agent: flag > environment (`SBOXAGENT_*`) > files > default.
 * @throws ProblemError `settings.invalid`, `file.not-found`
 */
export async function readAgentSettings({ config, environment, flags = {} }: SettingsSources): Promise<AgentSettings> {
  const files = await readFiles(config);
  // YAML is loaded here and nowhere on the way of a running agent.
  const { readSettings } = await import('@sbox/daemon/config');
  return readSettings(agentSettingsSchema, { files, environment, flags, prefix: 'SBOXAGENT' }).value;
}

async function readFiles(config: string | undefined): Promise<{ name: string; text: string }[]> {
  const place = config ?? defaultDirectory;
  const kind = await stat(place).catch(() => undefined);
  if (!kind) {
    if (config === undefined) return [];
    throw new ProblemError('file.not-found', place);
  }
  const names = kind.isDirectory()
    ? (await readdir(place))
        .filter((name) => /\.ya?ml$/.test(name))
        .toSorted()
        .map((name) => path.join(place, name))
    : [place];
  return await Promise.all(names.map(readFileOnce));
}

async function readFileOnce(name: string): Promise<{ name: string; text: string }> {
  try {
    if ((await stat(name)).size > maxBytes)
      throw new ProblemError('settings.invalid', `${name} is larger than ${maxBytes} bytes`);
    return { name, text: await readFile(name, 'utf8') };
  } catch (error) {
    if (error instanceof ProblemError) throw error;
    throw new ProblemError('file.unreadable', `${name}: ${messageOf(error)}`, { cause: error });
  }
}
