/** The command line of sbox: local work, and the manager's client. */
export type { CommandRow, Host, OptionRow } from './command.ts';
export { commands } from './commands.ts';
export { groupSummaries, runProgram } from './program.ts';
export { remoteOptions, sharedOptions } from './shared-options.ts';
