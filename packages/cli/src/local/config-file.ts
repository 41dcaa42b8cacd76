import path from 'node:path';
import { ProblemError } from '@sbox/core';
import type { Json } from '@sbox/engines/sing-box/render';
import { parseJsonc } from '@sbox/formats';
import type { Host } from '../command.ts';
import { readText } from '../read-file.ts';
import { isRecord } from './document-file.ts';

export interface ConfigFile {
  /** Absolute. */
  readonly file: string;
  readonly text: string;
  readonly config: Json;
}

/**
 * Reads a configuration of sing-box: JSON, with comments and trailing commas as the engine takes them.
 * @throws ProblemError `file.*`, `config.invalid`
 */
export async function readConfigFile(name: string, host: Pick<Host, 'cwd'>): Promise<ConfigFile> {
  const file = path.resolve(host.cwd, name);
  const text = await readText(file);
  const config = parseJsonc(text.replace(/^\uFEFF/, ''))?.value;
  if (isRecord(config)) return { file, text, config };
  throw new ProblemError('config.invalid', `${file} is not JSON${whereText(text)}`, {
    fix: 'Mend it at that place; a subscription is looked at with: sboxmgr inspect FILE',
  });
}

/** What JSON's own reader says about the place; nothing when only our comments stop it. */
function whereText(text: string): string {
  try {
    JSON.parse(text);
    return ': it is no object';
  } catch (error) {
    return `: ${(error as SyntaxError).message}`;
  }
}
