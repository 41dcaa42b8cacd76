import { ProblemError } from '@sbox/core';
import { Command, CommanderError, Help, Option } from 'commander';
import { stoppedDetail, type Call, type CommandRow, type Host, type OptionRow, type OptionValue } from './command.ts';
import { languageOf, type Language } from './language/language.ts';
import { openLanguage } from './language/open-language.ts';
import { createOut, outputFormats, type OutputFormat } from './out.ts';
import { remoteOptions, sharedOptions } from './shared-options.ts';
import { version } from './version.ts';

/** What shells call, as `sboxmgr __complete -- WORD…`; in no help. */
export const completeCommand = '__complete';

/** Reads the arguments, runs the command, prints its problem if it has one. Answers the exit code. */
export async function runProgram(rows: readonly CommandRow[], argv: readonly string[], host: Host): Promise<number> {
  let exitCode = 0;
  const language = await openLanguage(languageOf(host.env));
  const { text } = language;
  if (argv[0] === completeCommand) {
    // A shell asks while somebody types: what goes wrong is not said.
    const { complete } = await import('./completion/complete.ts');
    host.stdout(await complete(rows, argv.slice(argv[1] === '--' ? 2 : 1), { host, text }).catch(() => ''));
    return 0;
  }
  const program = new Command('sboxmgr')
    .description(text(programSummaries.program))
    .version(version, '-V, --version', text(programSummaries.version))
    .helpOption('-h, --help', text(programSummaries.help))
    .helpCommand('help [command]', text(programSummaries.helpOf))
    .configureHelp(helpIn(language))
    .showSuggestionAfterError(true)
    // Else `config deploy main --version 3` would print the version of the program.
    .enablePositionalOptions()
    .exitOverride()
    // Commander prints help to the error stream; its complaints become problems below.
    .configureOutput({ writeOut: host.stdout, writeErr: host.stderr, outputError: () => {} });
  for (const row of rows)
    addCommand({ program, row, text }, async (call) => {
      exitCode = await run(row, { ...call, commands: rows }, { host, language });
    });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return usageError(error, [commandOf(program, argv), argv], { host, language });
  }
}

/** What the program says about itself in its help. */
export const programSummaries = {
  program: 'Turns proxy subscriptions into versioned engine configurations and runs them on a fleet of servers.',
  version: 'print the version',
  help: 'show help',
  helpOf: 'show help of a command',
} as const;

/** Words of commander itself; what stands in brackets in a usage too. */
const helpIn = ({ name, text }: Language): Partial<Help> =>
  name === 'en'
    ? {}
    : {
        styleTitle: text,
        commandUsage: (command) => bracketed(new Help().commandUsage(command), text),
        subcommandTerm: (command) => bracketed(new Help().subcommandTerm(command), text),
      };

const bracketed = (usage: string, text: Words): string =>
  usage.replaceAll(/\[(?:options|command)\]/g, (word) => text(word));

type Bare = Omit<Call, 'host' | 'out' | 'commands'>;
type Words = Language['text'];
type Reader = { readonly host: Host; readonly language: Language };

function addCommand(
  { program, row, text }: { readonly program: Command; readonly row: CommandRow; readonly text: Words },
  action: (call: Bare) => Promise<void>,
): void {
  const words = row.usage.split(' ').filter((word) => !/^[<[]/.test(word));
  const args = row.usage.split(' ').filter((word) => /^[<[]/.test(word));
  const parent = words.slice(0, -1).reduce((above, name) => group(above, name, text), program);
  const command = parent
    .command([words.at(-1) ?? '', ...args].join(' '))
    .summary(text(row.summary))
    .description(text(row.summary));
  const shared = row.hasOwnOutput ? sharedOptions.filter(({ flags }) => !flags.startsWith('-o')) : sharedOptions;
  for (const option of [...(row.options ?? []), ...(row.remote ? remoteOptions : []), ...shared])
    command.addOption(toOption(option, text));
  if (row.examples)
    command.addHelpText('after', `\n${text('Examples:')}\n${row.examples.map((line) => `  ${line}`).join('\n')}`);
  command.action(async (...given: unknown[]) => {
    const options = given.at(-2) as Record<string, OptionValue>;
    const positional = given.slice(0, -2).flatMap((value) => (value === undefined ? [] : (value as string | string[])));
    await action({ args: positional, options });
  });
}

function group(parent: Command, name: string, text: Words): Command {
  const known = parent.commands.find((command) => command.name() === name);
  return (
    known ??
    parent
      .command(name)
      .summary(text(groupSummaries[name] ?? name))
      .description(text(groupSummaries[name] ?? name))
  );
}

export const groupSummaries: Readonly<Record<string, string>> = {
  subscription: 'Sources of nodes',
  config: 'Recipes, their versions, and moving servers to them',
  server: 'Machines with an agent',
  deployment: 'Servers on their way to a version',
  retention: 'Old versions and snapshots, and how long they stay',
  client: 'Who takes a config, and by which link',
  env: 'Environments: servers that belong together, and when nothing is deployed there',
  assignment: 'Which servers which config is for',
  event: 'What happened',
  token: 'Access tokens of people and programs',
  user: 'People who may come in',
  totp: 'Codes of an authenticator, besides the password',
  role: 'What people and tokens may do together',
  rescue: 'On the machine of the manager, without a login',
  audit: 'Who did what, and the proof of it',
  settings: 'Settings of configs in layers, and of the manager',
  override: 'Values that win for a while',
  context: 'Managers under names of your own',
  exclusion: 'Nodes that are not wanted',
  key: 'The key that the manager signs orders with',
  policy: 'What must not be among the nodes',
  template: 'What nodes are put into',
  operator: 'What can be done with nodes',
  engine: 'What engines can run',
  upgrade: 'What another version of the engine would change',
  'rule-set': 'Rule-sets that the manager mirrors',
};

function toOption({ flags, summary, preset, repeats }: OptionRow, text: Words): Option {
  const usual = preset === undefined ? '' : ` (${text('default:')} ${text(preset)})`;
  const option = new Option(flags, `${text(summary)}${usual}`);
  return option.variadic || repeats
    ? option.argParser((value: string, all: string[] | undefined) => [...(all ?? []), value])
    : option;
}

async function run(row: CommandRow, call: Omit<Call, 'host' | 'out'>, { host, language }: Reader): Promise<number> {
  const asked = row.hasOwnOutput ? undefined : call.options['output'];
  const format = call.options['json'] === true ? 'json' : (asked ?? 'table');
  const known = outputFormats.find((name) => name === format);
  const out = createOut({
    format: (known ?? 'table') satisfies OutputFormat,
    quiet: call.options['quiet'] === true,
    verbose: call.options['verbose'] === true,
    stdout: host.stdout,
    stderr: host.stderr,
    language,
  });
  try {
    if (!known)
      throw new ProblemError('command.usage', `${String(format)} is not one of ${outputFormats.join(', ')}`, {
        fix: '-o json',
      });
    const handler = await row.load();
    return (await handler({ ...call, host, out })) ?? 0;
  } catch (error) {
    if (host.signal.aborted && isStop(error)) {
      out.talk('stopped');
      return 130;
    }
    return out.problem(error);
  }
}

/** What a command ends with when it was told to stop; anything else that breaks then is still said. */
const isStop = (error: unknown): boolean =>
  error instanceof ProblemError
    ? error.code === 'command.failed' && error.message === stoppedDetail
    : (error as { name?: unknown } | undefined)?.name === 'AbortError';

/** The words of `argv` that name a command: `config deploy`; its help is what to read. */
function commandOf(program: Command, argv: readonly string[]): string {
  const words: string[] = [];
  for (let command: Command | undefined = program; command;) {
    const word = argv[words.length];
    command = command.commands.find((child) => child.name() === word);
    if (command) words.push(command.name());
  }
  return words.join(' ');
}

/** Help and version are no errors; everything else is a wrong command, said with its fix. */
function usageError(
  error: CommanderError,
  [command, argv]: readonly [string, readonly string[]],
  { host, language }: Reader,
): number {
  if (error.exitCode === 0) return 0;
  if (error.code === 'commander.help') return 2;
  const out = createOut({
    format: argv.includes('json') || argv.includes('--json') ? 'json' : 'table',
    quiet: false,
    verbose: false,
    stdout: host.stdout,
    stderr: host.stderr,
    language,
  });
  const message = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
  return out.problem(
    new ProblemError('command.usage', message, { fix: ['sboxmgr', command, '--help'].filter(Boolean).join(' ') }),
  );
}
