import type { CommandRow } from './command.ts';
import { ancestorCommands } from './commands/ancestor-commands.ts';
import { auditCommands } from './commands/audit-commands.ts';
import { libraryCommands } from './commands/library-commands.ts';
import { localCommands } from './commands/local-commands.ts';
import { configCommands } from './commands/config-commands.ts';
import { fleetCommands } from './commands/fleet-commands.ts';
import { peopleCommands } from './commands/people-commands.ts';
import { programCommands } from './commands/program-commands.ts';
import { subscriptionCommands } from './commands/subscription-commands.ts';

/** Every command of sboxmgr, in the order of the help. */
export const commands: readonly CommandRow[] = [
  ...localCommands,
  ...libraryCommands,
  ...subscriptionCommands,
  ...configCommands,
  ...fleetCommands,
  ...peopleCommands,
  ...auditCommands,
  ...programCommands,
  ...ancestorCommands,
];
