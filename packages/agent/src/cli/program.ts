import { ProblemError } from '@sbox/core';
import { Command, CommanderError, Option } from 'commander';
import { readAgentSettings } from '../settings/read-settings.ts';
import { version } from '../version.ts';
import type { Call, CommandRow, Host, OptionRow, OptionValue } from './command.ts';
import { createOut, outputFormats, type Out, type OutputFormat } from './out.ts';

/** Options that every command takes. */
export const sharedOptions: readonly OptionRow[] = [
  { flags: '-o, --output <format>', summary: `how to print data: ${outputFormats.join(', ')} (default: table)` },
  { flags: '--json', summary: 'the same as -o json' },
  { flags: '--config <place>', summary: 'settings: a file, or a directory of YAML files (default: /etc/sboxagent)' },
  { flags: '--state-dir <directory>', summary: 'state directory (default: /var/lib/sboxagent)' },
];

/** Reads the arguments, runs the command, prints its problem if it has one. Answers the exit code. */
export async function runProgram(rows: readonly CommandRow[], argv: readonly string[], host: Host): Promise<number> {
  let exitCode = 0;
  const program = new Command('sboxagent')
    .description('Runs the proxies of this server: proves each new configuration, goes back by itself when it fails.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help of a command')
    .showSuggestionAfterError(true)
    .exitOverride()
    // Commander prints help to the error stream; its complaints become problems below.
    .configureOutput({ writeOut: host.stdout, writeErr: host.stderr, outputError: () => {} });
  for (const row of rows) {
    addCommand(program, row, async (args, options) => {
      exitCode = await runRow(row, args, options, host);
    });
  }
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return usageError(error, argv, host);
  }
}

type Options = Readonly<Record<string, OptionValue>>;

function addCommand(
  program: Command,
  row: CommandRow,
  action: (args: readonly string[], options: Options) => Promise<void>,
): void {
  const words = row.usage.split(' ').filter((word) => !/^[<[]/.test(word));
  const args = row.usage.split(' ').filter((word) => /^[<[]/.test(word));
  const [group, name = group] = words;
  const parent = words.length > 1 ? groupOf(program, group ?? '') : program;
  const command = parent.command([name, ...args].join(' '), { hidden: row.isHidden ?? false }).description(row.summary);
  for (const { flags, summary } of [...(row.options ?? []), ...sharedOptions])
    command.addOption(new Option(flags, summary));
  command.action(async (...given: unknown[]) => {
    const positional = given.slice(0, -2).filter((value) => typeof value === 'string');
    await action(positional, given.at(-2) as Options);
  });
}

/** What the first words of commands with two words mean. */
const groups: Readonly<Record<string, string>> = {
  config: 'What this server runs and ran; works while the manager is away',
  key: 'The key by which the manager knows this server',
};

const groupOf = (program: Command, name: string): Command =>
  program.commands.find((command) => command.name() === name) ?? program.command(name).description(groups[name] ?? '');

async function runRow(row: CommandRow, args: readonly string[], options: Options, host: Host): Promise<number> {
  const out = outOf(options['json'] === true ? 'json' : String(options['output'] ?? 'table'), host);
  try {
    const known: readonly string[] = outputFormats;
    const format = String(options['output'] ?? 'table');
    if (!known.includes(format)) throw new ProblemError('command.usage', `${format} is not one of ${known.join(', ')}`);
    const handler = await row.load();
    const call: Call = { host, out, args, options, settings: async () => await settingsOf(options, host) };
    return (await handler(call)) ?? 0;
  } catch (error) {
    return out.problem(error);
  }
}

const outOf = (format: string, { stdout, stderr }: Host): Out =>
  createOut({ format: (format === 'json' ? 'json' : 'table') satisfies OutputFormat, stdout, stderr });

const settingsOf = async (options: Options, { environment }: Host) =>
  await readAgentSettings({
    environment,
    config: typeof options['config'] === 'string' ? options['config'] : undefined,
    flags: { state_dir: options['stateDir'] },
  });

/** Help and version are no errors; everything else is a wrong command, said with its fix. */
function usageError(error: CommanderError, argv: readonly string[], host: Host): number {
  if (error.exitCode === 0) return 0;
  if (error.code === 'commander.help') return 2;
  const detail = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
  const isJson = argv.includes('--json') || argv.includes('json');
  return outOf(isJson ? 'json' : 'table', host).problem(
    new ProblemError('command.usage', detail, { fix: 'sboxagent --help' }),
  );
}
