import type { Call, CommandRow, Host, OptionRow } from '../command.ts';
import { remoteOptions, sharedOptions } from '../shared-options.ts';
import { findNames } from './names.ts';
import { wantedAt, type Wanted } from './places.ts';

/** Something to offer, with a word about it. */
interface Candidate {
  readonly value: string;
  readonly about?: string;
}

interface Flag {
  readonly row: OptionRow;
  readonly long: string;
  readonly short: string | undefined;
  /** What its value is called; none for one that takes none. */
  readonly placeholder: string | undefined;
  /** It takes all that follows up to the next option. */
  readonly isVariadic: boolean;
}

/** As far as somebody has typed. */
interface Typed {
  readonly path: readonly string[];
  readonly args: readonly string[];
  readonly options: Readonly<Record<string, string>>;
  /** The option whose value comes next. */
  readonly open: Flag | undefined;
  readonly current: string;
}

const bare = (placeholder: string): string => placeholder.replaceAll(/[<>[\]]|\.{3}/g, '');
const isArgument = (word: string): boolean => /^[<[]/.test(word);

function readFlag(row: OptionRow): Flag {
  const { flags } = row;
  const placeholder = /[<[].*$/.exec(flags)?.[0];
  return {
    row,
    long: /--[a-z][a-z-]*/.exec(flags)?.[0] ?? '',
    short: /^-\w(?=,)/.exec(flags)?.[0],
    placeholder: placeholder && bare(placeholder),
    isVariadic: placeholder?.includes('...') === true && row.repeats !== true,
  };
}

const commandOf = ({ usage }: CommandRow): string[] => usage.split(' ').filter((word) => !isArgument(word));
const argumentsOf = ({ usage }: CommandRow): string[] => usage.split(' ').filter(isArgument);
const isAt = (row: CommandRow, path: readonly string[]): boolean => commandOf(row).join(' ') === path.join(' ');

function flagsAt(rows: readonly CommandRow[], path: readonly string[]): Flag[] {
  const row = rows.find((one) => isAt(one, path));
  if (!row) return [];
  const shared = row.hasOwnOutput ? sharedOptions.filter(({ flags }) => !flags.startsWith('-o')) : sharedOptions;
  return [...(row.options ?? []), ...(row.remote ? remoteOptions : []), ...shared].map(readFlag);
}

/** The words that may come after these in a command. */
const childrenOf = (rows: readonly CommandRow[], path: readonly string[]): string[] => [
  ...new Set(
    rows.flatMap((row) => {
      const command = commandOf(row);
      const next = command[path.length];
      return next !== undefined && path.every((word, index) => command[index] === word) ? [next] : [];
    }),
  ),
];

/** Reads words as the program would; bash parts `--role=viewer` into three. */
function readTyped(rows: readonly CommandRow[], given: readonly string[]): Typed {
  const path: string[] = [];
  const args: string[] = [];
  const options: Record<string, string> = {};
  let open: Flag | undefined;
  const current = given.at(-1) ?? '';
  for (const word of given.slice(0, -1)) {
    if (word === '=' && open) continue;
    if (word.startsWith('-') && word !== '-') {
      const [name = '', value] = word.split(/=(.*)/s);
      const flag = flagsAt(rows, path).find(({ long, short }) => name === long || name === short);
      open = value === undefined && flag?.placeholder !== undefined ? flag : undefined;
      if (flag && value !== undefined) options[keyOf(flag)] = value;
    } else if (open) {
      options[keyOf(open)] = word;
      if (!open.isVariadic) open = undefined;
    } else if (args.length === 0 && childrenOf(rows, path).includes(word)) path.push(word);
    else args.push(word);
  }
  return { path, args, options, open, current: current === '=' && open ? '' : current };
}

/** As commander calls it: `tokenFile`. */
const keyOf = ({ long }: Flag): string =>
  long.slice(2).replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

/**
 * What could stand for the last of these words, one in a line, with a tab before what it is. `:files` and `:directories`
 * ask the shell for those.
 */
export async function complete(
  rows: readonly CommandRow[],
  given: readonly string[],
  { host, text }: { readonly host: Host; readonly text: (english: string) => string },
): Promise<string> {
  const typed = readTyped(rows, given[0] === 'help' ? given.slice(1) : given);
  const { current, open, path } = typed;
  const [name = '', value] = current.startsWith('--') ? current.split(/=(.*)/s) : [];
  const flags = flagsAt(rows, path);
  const inOne = value === undefined ? undefined : flags.find(({ long }) => long === name);
  const flag = inOne ?? (current.startsWith('-') ? undefined : open);
  const command = path.join(' ');
  if (flag) {
    const wanted = wantedAt({ command, at: flag.long, placeholder: flag.placeholder ?? '' });
    return await printed(wanted, { typed, host, rows, before: inOne ? `${name}=` : '' });
  }
  if (current.startsWith('-')) return lines(optionsLeft(flags, typed), current, text);
  const children = childrenOf(rows, path).map((word) => ({ value: word, about: summaryAt(rows, [...path, word]) }));
  const words = typed.args.length === 0 ? lines(children, current, text) : '';
  const argument = argumentAt(rows, typed);
  if (argument === undefined) return words === '' ? lines(optionsLeft(flags, typed), current, text) : words;
  const wanted = wantedAt({ command, at: argument, placeholder: bare(argument) });
  return words + (await printed(wanted, { typed, host, rows, before: '' }));
}

/** The argument that comes next, as the usage has it; the last one may take all that follow. */
function argumentAt(rows: readonly CommandRow[], { path, args }: Typed): string | undefined {
  const row = rows.find((one) => isAt(one, path));
  const all = row ? argumentsOf(row) : [];
  const last = all.at(-1);
  return all[args.length] ?? (last?.includes('...') === true ? last : undefined);
}

const summaryAt = (rows: readonly CommandRow[], path: readonly string[]): string =>
  rows.find((row) => isAt(row, path))?.summary ?? '';

const optionsLeft = (flags: readonly Flag[], { options }: Typed): Candidate[] =>
  flags
    .filter((flag) => flag.isVariadic || flag.row.repeats === true || !Object.hasOwn(options, keyOf(flag)))
    .map(({ long, row }) => ({ value: long, about: row.summary }));

interface Place {
  readonly typed: Typed;
  readonly host: Host;
  readonly rows: readonly CommandRow[];
  /** Stands before the value in the same word: `--role=`. */
  readonly before: string;
}

async function printed(
  { words = [], names, paths, suffix }: Wanted,
  { typed, host, rows, before }: Place,
): Promise<string> {
  const { args, options, current } = typed;
  const call = { host, commands: rows, args, options } as unknown as Call;
  const found = names === undefined ? [] : await findNames(names, call);
  const candidates = [...words, ...found].map((value) => ({ value: `${before}${value}${suffix ?? ''}` }));
  return lines(candidates, current) + (paths === undefined ? '' : `:${paths}\n`);
}

/** Words that a shell takes as they are; a name that is none would need quoting. */
const plain = /^[\w.,@%+=/:-]+$/;

const lines = (all: readonly Candidate[], current: string, text: (english: string) => string = String): string =>
  all
    .filter(({ value }) => value.startsWith(current) && plain.test(value))
    .map(({ value, about = '' }) => (about === '' ? `${value}\n` : `${value}\t${text(about)}\n`))
    .join('');
