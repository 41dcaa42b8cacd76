import type { CommandRow } from '../command.ts';
import type * as handlers from './audit.ts';

const load = (name: keyof typeof handlers) => async () => (await import('./audit.ts'))[name];

/** Who did what: reading the audit log, taking it away, proving that it is whole. */
export const auditCommands: readonly CommandRow[] = [
  {
    usage: 'audit list',
    summary: 'Who did what, newest first',
    remote: true,
    options: [
      { flags: '--actor <id-or-name>', summary: 'only what this person, token or server did' },
      { flags: '--action <operation>', summary: 'only this operation, as deployConfig' },
      { flags: '--result <result>', summary: 'only ok, denied or failed' },
      { flags: '--since <time>', summary: 'from a time on, or so long ago: 2026-01-31T00:00:00Z, 24h' },
      { flags: '--until <time>', summary: 'before a time, or so long ago' },
      { flags: '--limit <n>', summary: 'how many', preset: '50' },
    ],
    examples: ['sboxmgr audit list --result denied --since 24h', 'sboxmgr audit list --actor admin -o json'],
    load: load('list'),
  },
  {
    usage: 'audit show <number>',
    summary: 'One entry with all that it says',
    remote: true,
    load: load('show'),
  },
  {
    usage: 'audit checkpoints',
    summary: 'Signed heads of the log, newest first',
    remote: true,
    options: [{ flags: '--limit <n>', summary: 'how many', preset: '50' }],
    load: load('checkpoints'),
  },
  {
    usage: 'audit export',
    summary: 'The whole log as lines of JSON, with its checkpoints and their keys',
    remote: true,
    options: [{ flags: '-f, --file <file>', summary: 'where to write, - for standard output', preset: '-' }],
    examples: ['sboxmgr audit export -f audit-2026-01.ndjson'],
    load: load('save'),
  },
  {
    usage: 'audit verify [file...]',
    summary: 'Prove that the log of the manager, or an export without a manager, is whole and unchanged; exit 1 if not',
    remote: true,
    options: [
      {
        flags: '--key <file>',
        repeats: true,
        summary: 'keys that are trusted: PEM, base64, or an export that is trusted; repeat for several',
        preset: 'those that come with the log',
      },
      {
        flags: '--kept <file>',
        repeats: true,
        summary: 'an export of before, which the log has to agree with; repeat for several, oldest first',
      },
    ],
    examples: [
      'sboxmgr audit verify',
      'sboxmgr audit verify audit.ndjson --key audit-first.ndjson',
      'sboxmgr audit verify --kept audit-2025-12.ndjson',
    ],
    load: load('verify'),
  },
];
