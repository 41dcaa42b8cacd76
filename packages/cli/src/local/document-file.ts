import path from 'node:path';
import { messageOf, ProblemError, type ProblemCode } from '@sbox/core';
import { parseJsonc } from '@sbox/formats';
import type { Host } from '../command.ts';
import { readText } from '../read-file.ts';

/**
 * The value in a file of YAML or JSON, which may have comments and trailing commas.
 * @throws ProblemError `file.not-found`, `file.unreadable`, or the code for what is neither
 */
export async function readDocument(file: string, host: Pick<Host, 'cwd'>, code: ProblemCode): Promise<unknown> {
  const text = (await readText(path.resolve(host.cwd, file))).replace(/^\uFEFF/, '');
  const json = /^\s*[[{/]/.test(text) ? parseJsonc(text) : undefined;
  if (json !== undefined) return json.value;
  try {
    return (await import('../yaml-text.ts')).parse(text) as unknown;
  } catch (cause) {
    throw new ProblemError(
      code,
      `${file} is neither JSON nor YAML: ${messageOf(cause).split('\n')[0]?.replace(/:$/, '') ?? ''}`,
      {
        cause,
      },
    );
  }
}

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
