import { mkdir, readFile, realpath } from 'node:fs/promises';
import path from 'node:path';
import { ProblemError } from '@sbox/core';
import type { OperatorClient } from '../connection.ts';
import { isRecord } from '../local/document-file.ts';
import { writeWhole } from '../write-file.ts';
import { fillHidden, hasMark, isSame } from './compare.ts';
import { fileNameOf } from './file-names.ts';
import type { Kind, Stored, Value } from './kind.ts';
import { kinds } from './kinds.ts';
import { readThing } from './read-directory.ts';
import { escapeReferences, type Sources } from './substitute.ts';

export interface Exported {
  readonly written: readonly string[];
  /** They say the same as the manager already, in their own words. */
  readonly kept: readonly string[];
  /** Files with hidden values: only this manager knows them. */
  readonly hidden: readonly string[];
}

export interface ExportOptions {
  readonly reveal: boolean;
  /** Writes over files that say something else. */
  readonly force: boolean;
  readonly sources: Sources;
}

interface Draft {
  readonly kind: Kind;
  readonly stored: Stored;
  readonly file: string;
  readonly text: string;
}

/**
 * Writes a file for each thing that the manager has. The same things give the same bytes; files that say the same in other
 * words are left as they are.
 * @throws ProblemError `files.exist` before anything is written
 */
export async function exportTo(client: OperatorClient, dir: string, options: ExportOptions): Promise<Exported> {
  const drafts: Draft[] = [];
  for (const kind of kinds)
    for (const stored of await storedOf(client, kind, options.reveal)) drafts.push(await draftOf(kind, stored));
  await mkdir(dir, { recursive: true });
  const root = await realpath(dir);
  const [written, same, kept, others]: [Draft[], Draft[], Draft[], Draft[]] = [[], [], [], []];
  for (const draft of drafts) {
    const there = await readFile(path.join(root, draft.file), 'utf8').catch(() => undefined);
    if (there === undefined) written.push(draft);
    else if (there === draft.text) same.push(draft);
    else if (await saysTheSame(client, root, draft, options)) kept.push(draft);
    else others.push(draft);
  }
  if (others.length > 0 && !options.force)
    throw new ProblemError(
      'files.exist',
      `not the same as at the manager: ${others
        .slice(0, 5)
        .map(({ file }) => file)
        .join(', ')}${others.length > 5 ? ` and ${others.length - 5} more` : ''}`,
      { details: { files: others.map(({ file }) => file) } },
    );
  for (const { file, text } of [...written, ...others]) await writeInside(root, file, text);
  const names = (some: readonly Draft[]): string[] => some.map(({ file }) => file).toSorted();
  return {
    written: names([...written, ...others]),
    kept: names([...same, ...kept]),
    hidden: names(
      [...written, ...same, ...others].filter(
        ({ kind, stored }) => kind.reveal !== undefined && hasMark(secretParts(kind, stored.value)),
      ),
    ),
  };
}

const secretParts = (kind: Kind, value: Value): unknown => kind.secrets.map((field) => value[field]);

/** In the order of their names. */
async function storedOf(client: OperatorClient, kind: Kind, reveal: boolean): Promise<Stored[]> {
  const all = (await kind.list(client)).filter(
    ({ revision, isBuiltIn }) => revision !== null && !(isBuiltIn === true && revision === 0),
  );
  const shown: Stored[] = [];
  for (const one of all)
    shown.push(reveal && kind.reveal && hasMark(one.value) ? await kind.reveal(client, one.id) : one);
  const nameOf = ({ value }: Stored): string => String(value[kind.key]);
  return shown.toSorted((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1));
}

async function draftOf(kind: Kind, stored: Stored): Promise<Draft> {
  const { stringify } = await import('../yaml-text.ts');
  const text = stringify(escaped(brief(kind, stored.value)), { lineWidth: 0, aliasDuplicateObjects: false });
  return { kind, stored, file: `${kind.folder}/${fileNameOf(String(stored.value[kind.key]))}.yaml`, text };
}

/** Without what says the same when it is left out, so that a file says what is meant and no more. */
function brief(kind: Kind, value: Value): Value {
  return Object.keys(value).reduce((left, field) => {
    const rest = Object.fromEntries(Object.entries(left).filter(([other]) => other !== field));
    const parsed = field === kind.key ? undefined : kind.schema.safeParse(rest);
    return parsed?.success === true && isSame(parsed.data, value) ? rest : left;
  }, value);
}

function escaped(value: unknown): unknown {
  if (typeof value === 'string') return escapeReferences(value);
  if (Array.isArray(value)) return value.map(escaped);
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, escaped(item)]));
}

async function saysTheSame(
  client: OperatorClient,
  root: string,
  { kind, stored, file }: Draft,
  { sources }: ExportOptions,
): Promise<boolean> {
  const read = await readThing(root, { kind, name: path.basename(file, '.yaml') }, sources).catch(() => undefined);
  if (!read || !('value' in read)) return false;
  if (isSame(read.value, stored.value)) return true;
  if (!kind.reveal || !(hasMark(stored.value) || hasMark(read.value))) return false;
  const real = await kind.reveal(client, stored.id).catch(() => undefined);
  return real !== undefined && isSame(fillHidden(read.value, stored.value, real.value), real.value);
}

/** A folder that is a link must not lead what has secrets in it elsewhere. */
async function writeInside(root: string, file: string, text: string): Promise<void> {
  const folder = path.dirname(path.join(root, file));
  await mkdir(folder, { recursive: true });
  if ((await realpath(folder)) !== folder)
    throw new ProblemError('file.unreadable', `${folder} is a link`, { fix: 'Make a directory of it.' });
  await writeWhole(path.join(root, file), text);
}
