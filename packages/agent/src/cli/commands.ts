import type { CommandRow } from './command.ts';

/** Every command of `sboxagent`. */
export const commands: readonly CommandRow[] = [
  {
    usage: 'run',
    summary: 'Run the agent; ends with SIGTERM, the engines stay',
    options: [{ flags: '--ready-json', summary: 'print one line of JSON when the agent has decided what to run' }],
    load: async () => (await import('./run.ts')).runCommand,
  },
  {
    usage: 'join <url>',
    summary: 'Join a manager with a token that it made',
    options: [
      { flags: '--token-file <file>', summary: 'file with the join token; removed afterwards' },
      { flags: '--name <name>', summary: 'name of this server (default: its host name)' },
    ],
    load: async () => (await import('./join.ts')).joinCommand,
  },
  {
    usage: 'status',
    summary: 'What runs, whether the manager answers, what was refused and why',
    load: async () => (await import('./status.ts')).statusCommand,
  },
  {
    usage: 'import <file>',
    summary: 'Take a bundle that the manager made (sboxmgr server bundle NAME)',
    options: [{ flags: '--pin <pin>', summary: 'sha256:… of the manager, on a server that never saw it' }],
    load: async () => (await import('./import.ts')).importCommand,
  },
  {
    usage: 'config show',
    summary: 'The config that each unit runs, credentials hidden',
    load: async () => (await import('./config.ts')).showCommand,
  },
  {
    usage: 'config history',
    summary: 'Versions that this server ran or refused, newest first',
    load: async () => (await import('./config.ts')).historyCommand,
  },
  {
    usage: 'config apply <file>',
    summary: 'Apply a bundle or a plain config, and wait for the verdict',
    options: [
      { flags: '--plan', summary: 'only say how each unit would take it, and what that costs' },
      { flags: '--confirm <duration>', summary: 'take it back after so long unless it is confirmed: 120s' },
      { flags: '--wait <duration>', summary: 'how long to wait for the verdict, 0 for not at all (default: 60s)' },
    ],
    load: async () => (await import('./apply.ts')).applyCommand,
  },
  {
    usage: 'config confirm',
    summary: 'Keep the version that would be taken back otherwise',
    load: async () => (await import('./apply.ts')).confirmCommand,
  },
  {
    usage: 'config rollback',
    summary: 'Go back to the version before the running one, until the manager has something newer',
    load: async () => (await import('./config.ts')).rollbackCommand,
  },
  {
    usage: 'config release',
    summary: 'End the hold of this server: after a rollback by hand, or a hold file',
    load: async () => (await import('./config.ts')).releaseCommand,
  },
  {
    usage: 'key rotate',
    summary: 'Replace the key that this server signs with',
    load: async () => (await import('./key.ts')).rotateCommand,
  },
  {
    usage: 'logs [unit]',
    summary: 'The last lines of the engines, secrets hidden',
    options: [{ flags: '-n, --lines <count>', summary: 'how many lines (default: 100)' }],
    load: async () => (await import('./logs.ts')).logsCommand,
  },
  {
    usage: 'events',
    summary: 'What happened on this server since the agent started, newest first',
    load: async () => (await import('./logs.ts')).eventsCommand,
  },
  {
    usage: 'doctor',
    summary: 'Look for what keeps this server from working, and say what to do; changes nothing, needs no agent',
    load: async () => (await import('./doctor.ts')).doctorCommand,
  },
  {
    usage: 'rescue',
    summary: 'Bring a broken server back without manager and agent: shows a plan, and does it with --yes',
    options: [
      { flags: '--yes', summary: 'do what the plan says' },
      { flags: '--dry-run', summary: 'show the plan only, also with --yes' },
      { flags: '--start', summary: 'start the last good version; the next agent adopts it' },
      { flags: '--engine <file>', summary: 'put in another sing-box' },
      { flags: '--release-hold', summary: 'end the hold where no agent runs; else: sboxagent config release' },
      { flags: '--lift-quarantine', summary: 'let refused renditions be tried again' },
      { flags: '--remove-redirects', summary: 'only remove the nftables tables of this agent, also while engines run' },
    ],
    load: async () => (await import('./rescue.ts')).rescueCommand,
  },
  {
    usage: 'version',
    summary: 'Version of the agent and of the engine',
    load: async () => (await import('./version.ts')).versionCommand,
  },
  {
    usage: 'overlay <input> <output>',
    summary: 'Make the file that an engine runs; the agent calls it',
    isHidden: true,
    load: async () => (await import('./overlay.ts')).overlayRow,
  },
];
