import type { CommandRow } from '../command.ts';

/** What is stored for how long. */
export const retentionCommands: readonly CommandRow[] = [
  {
    usage: 'retention show',
    summary: 'How many versions and snapshots would be removed now, and why the rest stays',
    remote: true,
    examples: ['sboxmgr retention show', 'sboxmgr retention show -o json'],
    load: async () => (await import('./retention.ts')).show,
  },
  {
    usage: 'retention run',
    summary: 'Remove old versions and snapshots that nobody needs, without waiting for the hour',
    remote: true,
    options: [{ flags: '--dry-run', summary: 'only say what would be removed' }],
    examples: ['sboxmgr retention run --dry-run', 'sboxmgr retention run'],
    load: async () => (await import('./retention.ts')).run,
  },
];
