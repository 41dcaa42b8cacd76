// The command lines of both programs as pages and as manual pages, from the tables that the programs themselves are made from.
import { commands as agentCommands } from '../packages/agent/src/cli/commands.ts';
import { sharedOptions as agentOptions } from '../packages/agent/src/cli/program.ts';
import { commands, groupSummaries, remoteOptions, sharedOptions } from '../packages/cli/src/index.ts';
import { version } from '../packages/cli/src/version.ts';
import { exitCodes } from './docs-exit-codes.ts';

interface OptionText {
  readonly flags: string;
  readonly summary: string;
  readonly preset?: string;
}

interface CommandText {
  readonly usage: string;
  readonly summary: string;
  readonly options?: readonly OptionText[];
  readonly examples?: readonly string[];
  readonly remote?: true;
}

interface ProgramText {
  readonly name: string;
  readonly summary: string;
  readonly commands: readonly CommandText[];
  readonly options: readonly OptionText[];
  /** Options of commands that talk to a manager. */
  readonly remoteOptions: readonly OptionText[];
  readonly groups: Readonly<Record<string, string>>;
  readonly files: readonly (readonly [string, string])[];
}

const sboxmgr: ProgramText = {
  name: 'sboxmgr',
  summary: 'turns proxy subscriptions into versioned engine configurations and runs them on a fleet of servers',
  commands,
  options: sharedOptions,
  remoteOptions,
  groups: groupSummaries,
  files: [
    ['/etc/sboxmgr/manager.yaml', 'settings of the manager'],
    ['/var/lib/sboxmgr', 'its data'],
    ['~/.config/sbox', 'logins and contexts of a person, mode 0600'],
  ],
};

const sboxagent: ProgramText = {
  name: 'sboxagent',
  summary: 'fetches, proves and runs the engine configuration of one server, and goes back by itself',
  commands: agentCommands.filter(({ isHidden }) => isHidden !== true),
  options: agentOptions,
  remoteOptions: [],
  groups: {},
  files: [
    ['/etc/sboxagent/*.yaml', 'settings, merged in the order of their names'],
    ['/etc/sboxagent/import.d', 'bundles and configurations by file'],
    ['/var/lib/sboxagent', 'its state'],
  ],
};

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const title = (name: string): string =>
  `# ${name}\n\nMade by \`node scripts/generate-docs.ts\` from the code; do not edit.\n`;

/** One page for a forge or a browser. */
function page(program: ProgramText): string {
  const table = (rows: readonly OptionText[]): string[] => [
    '| option | what | default |',
    '|---|---|---|',
    ...rows.map(({ flags, summary, preset = '' }) => `| \`${cell(flags)}\` | ${cell(summary)} | ${cell(preset)} |`),
    '',
  ];
  const section = ({ usage, summary, options = [], examples = [], remote }: CommandText): string[] => [
    `## ${program.name} ${usage}`,
    '',
    `${summary}.${remote ? ' Talks to the manager.' : ''}`,
    '',
    ...(options.length > 0 ? table(options) : []),
    ...(examples.length > 0 ? ['```', ...examples, '```', ''] : []),
  ];
  const remote = ['Commands that talk to the manager take also:', '', ...table(program.remoteOptions)];
  return [
    title(program.name),
    'Data goes to standard output, talk and errors to standard error. Every command takes:',
    '',
    ...table(program.options),
    ...(program.remoteOptions.length > 0 ? remote : []),
    ...program.commands.flatMap(section),
  ].join('\n');
}

/** Text that troff takes as it is. */
const roff = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(
      /[\u{80}-\u{10ffff}]/gu,
      (letter) => `\\[u${(letter.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`,
    )
    .replaceAll(/^(?=['.])/gm, '\\&');
const macro = (name: string, ...words: string[]): string =>
  [`.${name}`, ...words.map((word) => `"${roff(word).replaceAll('"', '\\(dq')}"`)].join(' ');

/** Manual pages (man-pages(7)): one for the program, one for each group of commands. */
function manuals(program: ProgramText): Record<string, string> {
  const optionText = ({ flags, summary, preset }: OptionText): string[] => [
    '.TP',
    macro('B', flags),
    roff(`${summary}.${preset === undefined ? '' : ` Default: ${preset}.`}`),
  ];
  const commandText = ({ usage, summary, options = [], examples = [] }: CommandText): string[] => [
    macro('SS', `${program.name} ${usage}`),
    roff(`${summary}.`),
    ...options.flatMap(optionText),
    ...(examples.length > 0 ? ['.PP', '.nf', '.RS', ...examples.map(roff), '.RE', '.fi'] : []),
  ];
  const head = (name: string, summary: string): string[] => [
    macro('TH', name.toUpperCase(), '1', '', `sbox ${version}`, 'sbox'),
    '.SH NAME',
    `${roff(name)} \\- ${roff(summary)}`,
  ];
  const common = [
    '.SH OPTIONS',
    ...[...program.options, ...program.remoteOptions].flatMap(optionText),
    '.SH EXIT STATUS',
    ...exitCodes.flatMap(([code, what]) => ['.TP', macro('B', String(code)), roff(what)]),
  ];
  const firstWord = ({ usage }: CommandText): string => usage.split(' ')[0] ?? '';
  const byGroup = Map.groupBy(program.commands, firstWord);
  const groups = Object.entries(program.groups).flatMap(([name, summary]) => {
    const rows = byGroup.get(name) ?? [];
    if (rows.length === 0) return [];
    const full = `${program.name}-${name}`;
    const lines = [...head(full, summary), '.SH COMMANDS', ...rows.flatMap(commandText), ...common];
    const also = ['.SH SEE ALSO', macro('BR', program.name, '(1)')];
    return [[`${full}.1`, `${[...lines, ...also].join('\n')}\n`]] as const;
  });
  const alone = program.commands.filter((row) => !Object.hasOwn(program.groups, firstWord(row)));
  const main = [
    ...head(program.name, program.summary),
    '.SH SYNOPSIS',
    macro('B', program.name),
    '\\fICOMMAND\\fR [\\fIOPTION\\fR]...',
    ...(groups.length > 0 ? ['.SH GROUPS OF COMMANDS', ...groupsOf(program)] : []),
    '.SH COMMANDS',
    ...alone.flatMap(commandText),
    ...common,
    '.SH FILES',
    ...program.files.flatMap(([file, what]) => ['.TP', macro('I', file), roff(what)]),
  ];
  return { [`${program.name}.1`]: `${main.join('\n')}\n`, ...Object.fromEntries(groups) };
}

const groupsOf = ({ name, groups, commands: rows }: ProgramText): string[] =>
  Object.entries(groups)
    .filter(([group]) => rows.some(({ usage }) => usage.startsWith(`${group} `)))
    .flatMap(([group, summary]) => ['.TP', macro('BR', `${name}-${group}`, '(1)'), roff(summary)]);

/** Pages below `docs/`, by their names there. */
export const commandPages = (): Readonly<Record<string, string>> => ({
  'cli.md': page(sboxmgr),
  'agent-cli.md': page(sboxagent),
  ...Object.fromEntries(
    [sboxmgr, sboxagent].flatMap((program) =>
      Object.entries(manuals(program)).map(([name, text]) => [`man/${name}`, text]),
    ),
  ),
});
