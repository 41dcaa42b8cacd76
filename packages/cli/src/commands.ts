import type { CommandRow } from './command.ts';
import { localCommands } from './commands/local-commands.ts';
import { configCommands } from './commands/config-commands.ts';
import { fleetCommands } from './commands/fleet-commands.ts';
import { subscriptionCommands } from './commands/subscription-commands.ts';

/** Every command of sboxmgr, in the order of the help. */
export const commands: readonly CommandRow[] = [
  ...localCommands,
  ...subscriptionCommands,
  ...configCommands,
  ...fleetCommands,
];
