import type { CommandRow, OptionRow } from '../command.ts';
import type * as clients from './clients.ts';

const load = (name: keyof typeof clients) => async () => (await import('./clients.ts'))[name];

const written: readonly OptionRow[] = [
  { flags: '--title <text>', summary: 'what the app of the client shows' },
  { flags: '--note <text>', summary: 'for those who run sbox' },
  { flags: '--expires <when>', summary: 'a time, or how long from now as 30d; never for no end' },
  { flags: '--hwid <mode>', summary: 'tell devices apart: off, optional or required' },
  { flags: '--devices <n>', summary: 'how many devices there may be' },
  { flags: '--update-every <hours>', summary: 'how often the app should ask' },
  { flags: '--used <size>', summary: 'what the app shows as used, as 1.5G' },
  { flags: '--total <size>', summary: 'and as the limit, as 100G; none to say nothing' },
  { flags: '--support-url <url>', summary: 'where help is; none for nowhere' },
  { flags: '--web-page <url>', summary: 'a page about the service; none for nowhere' },
  { flags: '--announce <text>', summary: 'a line that apps show' },
  { flags: '--format <format>', summary: 'for apps that no rule knows: base64, links, clash, sing-box or html' },
  { flags: '--rules <file>', summary: 'rules of this client, YAML or JSON; asked before those of all' },
];
const asked: readonly OptionRow[] = [
  { flags: '--user-agent <name>', summary: 'how the app names itself' },
  { flags: '--header <header...>', summary: 'another header, as "name: value"' },
  { flags: '--query <format>', summary: 'as ?format= in the address' },
  { flags: '--path <format>', summary: 'as the end of the address' },
];

/** Who takes configs at /sub. */
export const clientCommands: readonly CommandRow[] = [
  { usage: 'client list', summary: 'Who takes a config, and when last', remote: true, load: load('list') },
  {
    usage: 'client add <name> <config>',
    summary: 'Make a client; prints its link to who may see secrets',
    remote: true,
    options: written,
    examples: ['sboxmgr client add anna home --expires 30d --hwid optional --devices 3'],
    load: load('add'),
  },
  {
    usage: 'client show <name>',
    summary: 'One client; with --reveal or --qr its link',
    remote: true,
    options: [
      { flags: '--reveal', summary: 'show the link' },
      { flags: '--qr', summary: 'print the link as a picture to scan' },
    ],
    load: load('show'),
  },
  {
    usage: 'client edit <name>',
    summary: 'Change some of a client',
    remote: true,
    options: [
      { flags: '--rename <name>', summary: 'a new name' },
      { flags: '--config <name>', summary: 'another config' },
      ...written,
      { flags: '--disable', summary: 'give it nothing' },
      { flags: '--enable', summary: 'give it its config again' },
    ],
    load: load('edit'),
  },
  { usage: 'client remove <name>', summary: 'Delete a client', remote: true, load: load('remove') },
  {
    usage: 'client rotate <name>',
    summary: 'Give a client a new link; the one before is no longer good',
    remote: true,
    load: load('rotate'),
  },
  { usage: 'client devices <name>', summary: 'Devices of a client', remote: true, load: load('devices') },
  {
    usage: 'client forget-device <name> <device>',
    summary: 'Make room for another device',
    remote: true,
    load: load('forgetDevice'),
  },
  { usage: 'client fetches <name>', summary: 'What a client asked for lately', remote: true, load: load('fetches') },
  {
    usage: 'client explain <name>',
    summary: 'Which rule a request would match, and what it would be answered',
    remote: true,
    options: asked,
    examples: ["sboxmgr client explain anna --user-agent 'SFA/1.14.4'"],
    load: load('explain'),
  },
  { usage: 'client rules', summary: 'Which app gets which format', remote: true, load: load('rules') },
  {
    usage: 'client set-rules <file>',
    summary: 'Set the rules of all clients, YAML or JSON; an empty list brings back those of sbox',
    remote: true,
    load: load('setRules'),
  },
];
