// Not from the whole of the protocol: its schemas would be loaded for --version.
import { roleNames } from '@sbox/protocol/roles';
import type { CommandRow, OptionRow } from '../command.ts';
import { boundsOptions } from './bounds-options.ts';
import type * as login from './login.ts';
import type * as people from './people.ts';
import type * as rescue from './rescue.ts';
import type * as tokens from './tokens.ts';

const user = (name: keyof typeof people) => async () => (await import('./people.ts'))[name];
const session = (name: keyof typeof login) => async () => (await import('./login.ts'))[name];
const token = (name: keyof typeof tokens) => async () => (await import('./tokens.ts'))[name];
const repair = (name: keyof typeof rescue) => async () => (await import('./rescue.ts'))[name];

const role: OptionRow = { flags: '--role <role>', summary: `one of ${roleNames.join(', ')}` };
const displayName: OptionRow = { flags: '--display-name <text>', summary: 'the name for people to read' };
const passwordFile: OptionRow = {
  flags: '--password-file <file>',
  summary: 'file with the password, - for standard input',
  preset: 'standard input, unless that is a terminal',
};
const generated: OptionRow = { flags: '--generate', summary: 'make a password and print it once' };
const where: readonly OptionRow[] = [
  { flags: '--data <dir>', summary: 'state directory', preset: '/var/lib/sboxmgr' },
  { flags: '--config <file>', summary: 'settings file', preset: '/etc/sboxmgr/manager.yaml when it exists' },
];

/** People, their roles, sessions and tokens. */
export const peopleCommands: readonly CommandRow[] = [
  {
    usage: 'login',
    summary: 'Log in with a password, or by a browser; the token that comes back is kept for twelve hours at most',
    remote: true,
    options: [
      { flags: '--name <name>', summary: 'who', preset: 'USER' },
      passwordFile,
      { flags: '--code <code>', summary: 'of your authenticator, or one for recovery; each is good once' },
      { flags: '--oidc', summary: 'by the identity provider of the manager, in a browser on this machine' },
      { flags: '--paste', summary: 'the same in a browser elsewhere: the code that it shows is pasted here' },
      { flags: '--as-context <name>', summary: 'keep this manager under a name, and use it from now on' },
    ],
    examples: ['sboxmgr login --name anna --password-file ./anna.password', 'sboxmgr login --oidc'],
    load: session('login'),
  },
  { usage: 'logout', summary: 'End the login, here and at the manager', remote: true, load: session('logout') },
  {
    usage: 'whoami',
    summary: 'Who you are to the manager, and what you may do',
    remote: true,
    load: session('whoami'),
  },
  {
    usage: 'passwd',
    summary: 'Change your own password; ends your sessions and personal tokens',
    remote: true,
    options: [
      { flags: '--password-file <file>', summary: 'file with the password of now' },
      { flags: '--new-password-file <file>', summary: 'file with the new one' },
    ],
    load: session('passwd'),
  },
  {
    usage: 'totp start',
    summary: 'Begin to log in with an authenticator: prints what it is given; confirm it with a code',
    remote: true,
    options: [passwordFile],
    load: session('startTotp'),
  },
  {
    usage: 'totp confirm <code>',
    summary: 'Show a code of the authenticator: logging in needs one from now on. Prints codes for recovery',
    remote: true,
    load: session('confirmTotp'),
  },
  {
    usage: 'totp remove <user>',
    summary: 'Let a user whose authenticator is lost log in with the password alone',
    remote: true,
    load: user('removeTotp'),
  },
  { usage: 'user list', summary: 'Users', remote: true, load: user('list') },
  { usage: 'user show <name>', summary: 'One user', remote: true, load: user('show') },
  {
    usage: 'user create <name>',
    summary: 'Make a user',
    remote: true,
    options: [
      role,
      displayName,
      passwordFile,
      generated,
      { flags: '--subject <sub>', summary: 'who it is at the identity provider, instead of a password' },
      ...boundsOptions,
    ],
    examples: [
      'sboxmgr user create anna --role admin --password-file ./anna.password',
      'sboxmgr user create bert --role operator --generate',
      'sboxmgr user create cleo --role operator --project acme --servers customer=acme --generate',
    ],
    load: user('create'),
  },
  {
    usage: 'user edit <name>',
    summary: 'Change a user; another role, and being disabled, end the sessions',
    remote: true,
    options: [
      role,
      displayName,
      ...boundsOptions,
      { flags: '--unbounded', summary: 'hold the user to nothing' },
      { flags: '--rename <name>', summary: 'the new name' },
      { flags: '--disable', summary: 'keep the user out' },
      { flags: '--enable', summary: 'let the user in again' },
    ],
    load: user('edit'),
  },
  {
    usage: 'user password <name>',
    summary: 'Give a user another password, and unlock it; ends the sessions and personal tokens',
    remote: true,
    options: [passwordFile, generated],
    load: user('password'),
  },
  {
    usage: 'user remove <name>',
    summary: 'Remove a user; its personal tokens are revoked',
    remote: true,
    load: user('remove'),
  },
  { usage: 'role list', summary: 'Roles, and what each may do', remote: true, load: user('roles') },
  { usage: 'token list', summary: 'Access tokens', remote: true, load: token('list') },
  {
    usage: 'token create <name>',
    summary: 'Make an access token and print it once',
    remote: true,
    options: [
      { flags: '--role <role>', summary: `what it may do: ${roleNames.join(', ')}` },
      { flags: '--permission <name...>', summary: 'or permissions one by one; repeat for several' },
      ...boundsOptions,
      { flags: '--ttl <duration>', summary: 'how long it is valid', preset: 'until it is revoked' },
      { flags: '--personal', summary: 'yours: it ends with you, and never opens more than you may' },
      { flags: '-f, --file <file>', summary: 'write it to a file of mode 0600 instead of printing it' },
    ],
    examples: [
      'sboxmgr token create ci --role deployer --ttl 30d',
      'sboxmgr token create acme --role operator --project acme --servers customer=acme',
      'sboxmgr token create monitoring --permission status:read',
    ],
    load: token('create'),
  },
  { usage: 'token revoke <id>', summary: 'Revoke an access token', remote: true, load: token('revoke') },
  {
    usage: 'rescue token',
    summary: 'On the machine of the manager: a new token that may do everything',
    options: [{ flags: '--ttl <duration>', summary: 'how long it is valid', preset: '1h' }, ...where],
    load: repair('token'),
  },
  {
    usage: 'rescue unlock <name>',
    summary: 'On the machine of the manager: let a user in again that is locked or disabled',
    options: where,
    load: repair('unlock'),
  },
  {
    usage: 'rescue password <name>',
    summary: 'On the machine of the manager: another password for a user, who is let in again',
    options: [passwordFile, generated, ...where],
    load: repair('password'),
  },
];
