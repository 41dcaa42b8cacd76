import type { CommandRow } from './command.ts';
import { ancestorCommands } from './commands/ancestor-commands.ts';
import { auditCommands } from './commands/audit-commands.ts';
import { libraryCommands } from './commands/library-commands.ts';
import { localCommands } from './commands/local-commands.ts';
import { clientCommands } from './commands/client-commands.ts';
import { configCommands } from './commands/config-commands.ts';
import { contextCommands } from './commands/context-commands.ts';
import { environmentCommands } from './commands/environment-commands.ts';
import { filesCommands } from './commands/files-commands.ts';
import { fleetCommands } from './commands/fleet-commands.ts';
import { peopleCommands } from './commands/people-commands.ts';
import { programCommands } from './commands/program-commands.ts';
import { retentionCommands } from './commands/retention-commands.ts';
import { settingsCommands } from './commands/settings-commands.ts';
import { subscriptionCommands } from './commands/subscription-commands.ts';

/** Every command of sboxmgr, in the order of the help. */
export const commands: readonly CommandRow[] = [
  ...localCommands,
  ...libraryCommands,
  ...subscriptionCommands,
  ...configCommands,
  ...retentionCommands,
  ...clientCommands,
  ...filesCommands,
  ...contextCommands,
  ...environmentCommands,
  ...fleetCommands,
  ...settingsCommands,
  ...peopleCommands,
  ...auditCommands,
  ...programCommands,
  ...ancestorCommands,
];
