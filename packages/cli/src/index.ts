/** The command line of sbox: local work, and the manager's client. */
export type { CommandRow, Host, OptionRow } from './command.ts';
export { commands } from './commands.ts';
export { groupSummaries, remoteOptions, runProgram, sharedOptions } from './program.ts';
