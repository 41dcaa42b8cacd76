import { lstat, readdir, readFile, realpath } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, ProblemError } from '@sbox/core';
import { isRecord } from '../local/document-file.ts';
import { complaintsIn } from '../local/read-with-schema.ts';
import { fileNameOf } from './file-names.ts';
import type { Kind, Value } from './kind.ts';
import { kinds } from './kinds.ts';
import { substitute, type Sources } from './substitute.ts';
import type { Path, Position, YamlFile } from './yaml-file.ts';

/** A thing as a file says it. */
export interface Written {
  readonly kind: Kind;
  readonly name: string;
  /** Below the directory, with `/`. */
  readonly file: string;
  /** With the defaults of what it leaves out. */
  readonly value: Value;
  /** Places whose text came from `${env:…}` or `${file:…}`. */
  readonly substituted: ReadonlySet<string>;
  readonly at: YamlFile['at'];
}

/** What is wrong, and where. */
export interface Complaint extends Position {
  readonly file: string;
  readonly message: string;
}

export interface ReadDirectory {
  readonly things: readonly Written[];
  readonly complaints: readonly Complaint[];
  /** Kinds whose folder is there: of these the files say everything. */
  readonly kept: ReadonlySet<string>;
  /** Files that are there and cannot be used: what names such a thing is right so far. */
  readonly refused: ReadonlySet<string>;
}

const maxFiles = 10_000;
const maxFileBytes = 24 * 1024 * 1024;
const top: Position = { line: 1, column: 1 };
/** The file of a project may lie at the top: see contexts. */
const projectFile = 'sboxmgr.yaml';

/** All that the files below a directory say. Nothing is left out in silence: what is no thing of ours is a complaint. */
export async function readDirectory(directory: string, sources: Sources): Promise<ReadDirectory> {
  const dir = await directoryAt(directory);
  const { files, complaints, kept } = await findFiles(dir, path.resolve(sources.dir));
  if (files.length > maxFiles)
    throw new ProblemError('files.invalid', `there are ${files.length} files; at most ${maxFiles} are read`);
  const things: Written[] = [];
  const refused = new Set<string>();
  for (const found of files) {
    const read = await readThing(dir, found, sources);
    if ('value' in read) things.push(read);
    else {
      refused.add(`${found.kind.folder}/${found.name}.yaml`);
      complaints.push(...read.complaints);
    }
  }
  return { things, complaints, kept, refused };
}

async function directoryAt(directory: string): Promise<string> {
  const real = await realpath(directory).catch((error: unknown) => {
    throw new ProblemError('file.not-found', `${directory}: ${messageOf(error)}`, {
      cause: error,
      fix: 'Name a directory of files: -f DIR. To make one from what the manager has: sboxmgr export -d DIR',
    });
  });
  if ((await lstat(real)).isDirectory()) return real;
  throw new ProblemError('file.unreadable', `${directory} is no directory`, { fix: '-f DIR' });
}

interface FoundFile {
  readonly kind: Kind;
  readonly name: string;
}

interface FoundFiles {
  readonly files: readonly FoundFile[];
  readonly complaints: Complaint[];
  readonly kept: ReadonlySet<string>;
}

/** In order of kinds and names, so that everything that follows has one order. */
async function findFiles(dir: string, secretsDir: string): Promise<FoundFiles> {
  const files: FoundFile[] = [];
  const complaints: Complaint[] = [];
  const complain = (file: string, message: string): void => void complaints.push({ file, ...top, message });
  const kept = new Set<string>();
  for (const entry of await namesIn(dir)) {
    const kind = kinds.find(({ folder }) => folder === entry);
    const full = path.join(dir, entry);
    if (kind) {
      const inside = await within(dir, full);
      if (inside !== undefined) complain(entry, inside);
      else if ((await lstat(await realpath(full))).isDirectory()) {
        kept.add(kind.name);
        files.push(...(await filesOf(dir, kind, complain)));
      } else complain(entry, `has to be a directory: one file for each ${kind.name}`);
    } else if (isIgnored(entry) || entry === projectFile || full === secretsDir) continue;
    else if (isDocument(entry)) complain(entry, `stands in no folder of a kind: ${folderNames}`);
    else if ((await namesIn(full)).some(isDocument)) complain(entry, `is no kind of thing: there are ${folderNames}`);
  }
  return { files, complaints, kept };
}

const folderNames = kinds.map(({ folder }) => `${folder}/`).join(', ');
const isDocument = (name: string): boolean => /\.(ya?ml|json)$/i.test(name) && !name.startsWith('.');
const isIgnored = (name: string): boolean => name.startsWith('.') || /\.md$/i.test(name);

/** Names in a directory, in order; none for a file. */
const namesIn = async (dir: string): Promise<string[]> =>
  await readdir(dir).then(
    (names) => names.toSorted(),
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOTDIR' || error.code === 'ENOENT') return [];
      throw new ProblemError('file.unreadable', `${dir}: ${messageOf(error)}`, { cause: error });
    },
  );

/** What is wrong with the place of a file, if anything is. */
async function within(dir: string, file: string): Promise<string | undefined> {
  const real = await realpath(file).catch(() => undefined);
  if (real === undefined) return 'is a link that leads nowhere';
  return real.startsWith(`${dir}${path.sep}`) ? undefined : 'is a link that leads out of the directory';
}

async function filesOf(
  dir: string,
  kind: Kind,
  complain: (file: string, message: string) => void,
): Promise<FoundFile[]> {
  const found: FoundFile[] = [];
  for (const entry of (await namesIn(path.join(dir, kind.folder))).filter((name) => !isIgnored(name))) {
    const [file, full] = [`${kind.folder}/${entry}`, path.join(dir, kind.folder, entry)];
    const outside = await within(dir, full);
    const known = outside === undefined ? await lstat(await realpath(full)) : undefined;
    if (outside !== undefined) complain(file, outside);
    else if (!entry.endsWith('.yaml')) complain(file, `is not called NAME.yaml, as files of a ${kind.name} are`);
    else if (!known?.isFile()) complain(file, 'is no regular file');
    else if (known.size > maxFileBytes) complain(file, `is larger than ${maxFileBytes / 1024 / 1024} MiB`);
    else found.push({ kind, name: entry.slice(0, -'.yaml'.length) });
  }
  return found;
}

interface Refused {
  readonly complaints: readonly Complaint[];
}

/** One file as a thing, or everything that is wrong with it. */
export async function readThing(
  dir: string,
  { kind, name: stem }: FoundFile,
  sources: Sources,
): Promise<Written | Refused> {
  const file = `${kind.folder}/${stem}.yaml`;
  const refuse = (complaints: readonly (Position & { message: string })[]): Refused => ({
    complaints: complaints.map((complaint) => ({ file, ...complaint })),
  });
  const text = await readTextOf(path.join(dir, file));
  if (text === undefined) return refuse([{ ...top, message: 'is no text in UTF-8' }]);
  const { readYaml } = await import('./yaml-file.ts');
  const yaml = readYaml(text);
  if (yaml.complaints.length > 0) return refuse(yaml.complaints);
  if (!isRecord(yaml.value)) return refuse([{ ...top, message: `has to hold the fields of a ${kind.name}` }]);
  const put = await substitute(yaml.value, sources);
  const given = isRecord(put.value) ? put.value : {};
  const thing = kind.key === 'name' && !('name' in given) ? { name: stem, ...given } : given;
  const parsed = kind.schema.safeParse(thing);
  const found = [
    ...put.complaints,
    ...notJson(thing, []),
    ...(parsed.success ? [] : complaintsIn(parsed.error.issues)),
    ...misnamed(kind, (parsed.success ? (kind.normalise?.(parsed.data as Value) ?? thing) : thing)[kind.key], stem),
  ];
  if (!parsed.success || found.length > 0)
    return refuse(
      found.map(({ path: place, message, isKey }: Found) => ({
        ...yaml.at(place, isKey === true ? 'key' : undefined),
        message: place.length === 0 ? message : `${pathText(place)}: ${message}`,
      })),
    );
  const read = parsed.data as Value;
  const value = kind.normalise?.(read) ?? read;
  return { kind, name: String(value[kind.key]), file, value, substituted: put.places, at: yaml.at };
}

interface Found {
  readonly path: Path;
  readonly message: string;
  readonly isKey?: boolean;
}

async function readTextOf(file: string): Promise<string | undefined> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file));
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw new ProblemError('file.unreadable', `${file}: ${messageOf(error)}`, { cause: error });
  }
}

const misnamed = (kind: Kind, name: unknown, stem: string): Found[] =>
  typeof name !== 'string' || fileNameOf(name) === stem
    ? []
    : [{ path: [kind.key], message: `is "${name}", so the file has to be called ${fileNameOf(name)}.yaml` }];

/** YAML has numbers that JSON has not, and what copies fields loses one that is called `__proto__` without a word. */
function notJson(value: unknown, at: Path): Found[] {
  if (typeof value === 'number' && !Number.isFinite(value)) return [{ path: at, message: 'must be a number' }];
  if (typeof value !== 'object' || value === null) return [];
  const parts: readonly (readonly [PropertyKey, unknown])[] = Array.isArray(value)
    ? value.map((item: unknown, index) => [index, item] as const)
    : Object.entries(value);
  return parts.flatMap(([key, item]) =>
    key === '__proto__'
      ? [{ path: [...at, key], message: 'no field may be called so', isKey: true }]
      : notJson(item, [...at, key]),
  );
}

/** `settings.inbounds[0].listen_port` */
export const pathText = (place: Path): string =>
  place
    .map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`))
    .join('')
    .replace(/^\./, '');
