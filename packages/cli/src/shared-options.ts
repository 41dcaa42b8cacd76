import type { OptionRow } from './command.ts';
import { outputFormats } from './out.ts';

/** Options that every command takes. */
export const sharedOptions: readonly OptionRow[] = [
  { flags: '-o, --output <format>', summary: `how to print data: ${outputFormats.join(', ')}`, preset: 'table' },
  { flags: '--json', summary: 'the same as -o json' },
  { flags: '-q, --quiet', summary: 'print data and errors only' },
  { flags: '-v, --verbose', summary: 'say more when something breaks' },
];

/** Options of the commands that talk to a manager. */
export const remoteOptions: readonly OptionRow[] = [
  {
    flags: '--context <name>',
    summary: 'a manager by its name; see context',
    preset: 'SBOXMGR_CONTEXT, else ./sboxmgr.yaml, else the one of context use',
  },
  { flags: '--manager <url>', summary: 'address of the manager', preset: 'SBOXMGR_URL, else http://127.0.0.1:4780' },
  {
    flags: '--token-file <file>',
    summary: 'file with the access token',
    preset:
      'SBOXMGR_TOKEN_FILE, else that of the context, else the login, else ./.sbox/manager/admin-token or /var/lib/sboxmgr/admin-token',
  },
  { flags: '--ca-file <file>', summary: 'certificate of the CA of the manager (PEM)', preset: 'SBOXMGR_CA_FILE' },
];
