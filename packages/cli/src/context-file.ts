import path from 'node:path';
import { ProblemError } from '@sbox/core';
import type { Host } from './command.ts';
import { isRecord } from './local/document-file.ts';
import { readState, writeState } from './local/state-file.ts';

/** A manager under a name of one's own. Files are written as whole paths. */
export interface Context {
  readonly manager: string;
  readonly ca_file?: string;
  readonly token_file?: string;
}

/** All of a user's contexts, and the one that is used when nothing else is said. */
export interface Contexts {
  readonly current: string | undefined;
  readonly all: ReadonlyMap<string, Context>;
}

type Place = Pick<Host, 'env' | 'cwd'>;
const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/;
const mostContexts = 256;

/** Mode 0600, though it holds no token: it says where one is sent. */
export const contextFile = ({ env, cwd }: Place): string => {
  const home = env['XDG_CONFIG_HOME'] || path.join(env['HOME'] ?? cwd, '.config');
  return path.join(home, 'sbox', 'contexts.json');
};

/** @throws ProblemError `file.unreadable` */
export async function readContexts(host: Place): Promise<Contexts> {
  const file = contextFile(host);
  const { current, contexts = {} } = await readState(file);
  const isRight =
    isRecord(contexts) && Object.values(contexts).every(isContext) && ['string', 'undefined'].includes(typeof current);
  if (!isRight)
    throw new ProblemError('file.unreadable', `${file} is no list of contexts`, {
      fix: 'Mend the file, or move it away to begin anew.',
    });
  return {
    current: typeof current === 'string' ? current : undefined,
    all: new Map(Object.entries(contexts as Readonly<Record<string, Context>>)),
  };
}

export async function writeContexts(host: Place, { current, all }: Contexts): Promise<void> {
  if (all.size > mostContexts)
    throw new ProblemError('command.usage', `there are ${all.size} contexts, at most ${mostContexts}`, {
      fix: 'sboxmgr context remove NAME',
    });
  const contexts = Object.fromEntries([...all].toSorted(([one], [other]) => (one < other ? -1 : 1)));
  await writeState(contextFile(host), { ...(current === undefined ? {} : { current }), contexts });
}

/** @throws ProblemError `context.not-found` that says where the name came from */
export function findContext({ all }: Contexts, name: string, from: string): Context {
  const found = all.get(name);
  if (found) return found;
  const known = [...all.keys()].toSorted().join(', ');
  throw new ProblemError(
    'context.not-found',
    `"${name}", named by ${from}; there ${known === '' ? 'is none' : `are ${known}`}`,
  );
}

/** @throws ProblemError `command.usage` */
export function checkContextName(name: string): void {
  if (!namePattern.test(name))
    throw new ProblemError('command.usage', `"${name}" is no name: letters, digits, ., _ and -, at most 64`);
}

const isContext = (value: unknown): value is Context =>
  isRecord(value) &&
  typeof value['manager'] === 'string' &&
  ['ca_file', 'token_file'].every((field) => value[field] === undefined || typeof value[field] === 'string');
