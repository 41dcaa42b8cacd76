import { lstat, open, realpath } from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '@sbox/core';
import type { Path } from './yaml-file.ts';

/** Where `${env:NAME}` and `${file:PATH}` look. */
export interface Sources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Files stand below it. */
  readonly dir: string;
}

export interface Substituted {
  readonly value: unknown;
  /** Places whose text came from elsewhere: it is never printed. As JSON of the path. */
  readonly places: ReadonlySet<string>;
  readonly complaints: readonly { readonly path: Path; readonly message: string }[];
}

const pattern = /(\$+)\{(env|file):([^{}]*)\}/g;
const maxBytes = 16 * 1024 * 1024;

/** A text that holds such a reference as it is, by one dollar more. */
export const escapeReferences = (text: string): string => text.replaceAll(pattern, (whole) => `$${whole}`);

/** Puts in what `${env:NAME}` and `${file:PATH}` stand for, in texts only; with a second dollar they stand for themselves. */
export async function substitute(value: unknown, sources: Sources): Promise<Substituted> {
  const places = new Set<string>();
  const complaints: { path: Path; message: string }[] = [];
  const read = async (text: string, at: Path): Promise<string> => {
    const parts: string[] = [];
    let end = 0;
    for (const match of text.matchAll(pattern)) {
      const [whole, dollars = '', from = '', name = ''] = match;
      parts.push(text.slice(end, match.index));
      end = match.index + whole.length;
      if (dollars.length > 1) {
        parts.push(whole.slice(1));
        continue;
      }
      places.add(JSON.stringify(at));
      const found = from === 'env' ? readVariable(name, sources.env) : await readSecretFile(name, sources.dir);
      if ('problem' in found) complaints.push({ path: at, message: `\${${from}:${name}}: ${found.problem}` });
      else parts.push(found.text);
    }
    return [...parts, text.slice(end)].join('');
  };
  const walk = async (part: unknown, at: Path): Promise<unknown> => {
    if (typeof part === 'string') return part.includes('${') ? await read(part, at) : part;
    if (typeof part !== 'object' || part === null) return part;
    if (Array.isArray(part))
      return await Promise.all(part.map(async (item, index) => await walk(item, [...at, index])));
    const entries = Object.entries(part).map(async ([key, item]) => [key, await walk(item, [...at, key])] as const);
    return Object.fromEntries(await Promise.all(entries));
  };
  return { value: await walk(value, []), places, complaints };
}

type Found = { readonly text: string } | { readonly problem: string };

function readVariable(name: string, env: Sources['env']): Found {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return { problem: 'that is no name of a variable' };
  const text = env[name];
  if (text === undefined) return { problem: `the variable ${name} is not set` };
  return text === '' ? { problem: `the variable ${name} is empty` } : { text };
}

/** One new line at the end is no part of it: editors and echo put it there. */
async function readSecretFile(name: string, dir: string): Promise<Found> {
  if (name === '' || path.isAbsolute(name) || name.split(/[/\\]/).includes('..'))
    return { problem: 'the path has to lead to below the directory of --secrets' };
  try {
    const [base, real] = [await realpath(dir), await realpath(path.join(dir, name))];
    if (!real.startsWith(`${base}${path.sep}`)) return { problem: 'it is a link that leads out of the directory' };
    const { size } = await lstat(real);
    if (size > maxBytes) return { problem: `it is larger than ${maxBytes / 1024 / 1024} MiB` };
    await using file = await open(real);
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await file.readFile()).replace(/\r?\n$/, '');
    return text === '' ? { problem: 'the file is empty' } : { text };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return { problem: code === 'ENOENT' ? `there is no such file in ${dir}` : messageOf(error) };
  }
}
