import { isoTime, parseDuration, ProblemError } from '@sbox/core';
import { clientFormats, formatNames, type operatorContract, type RouteInput } from '@sbox/protocol';
import { arg, flag, text, texts, wholeNumber, type Call } from '../command.ts';
import type { OperatorClient } from '../connection.ts';
import { isRecord, readDocument } from '../local/document-file.ts';
import { age, everyPage, withClient } from './remote.ts';

type Client = Awaited<ReturnType<OperatorClient['clients']['get']>>;
type Write = NonNullable<RouteInput<typeof operatorContract.clients.update>['body']>;
type Rules = RouteInput<typeof operatorContract.clientRules.replace>['body']['rules'];

const usage = (detail: string, fix: string): ProblemError => new ProblemError('command.usage', detail, { fix });

const stateOf = ({ enabled, expires_at }: Client, now: number): string => {
  if (!enabled) return 'disabled';
  if (expires_at === null) return 'open';
  return Date.parse(expires_at) <= now ? 'expired' : `until ${expires_at.slice(0, 10)}`;
};

export const list = withClient(async (client, { out, host }) => {
  const items = await everyPage((query) => client.clients.list({ query }));
  if (items.length === 0) out.talk('No clients yet. Make one: sboxmgr client add NAME CONFIG');
  const now = host.clock.now();
  await out.rows(items, [
    { title: 'NAME', value: ({ name }) => name },
    { title: 'CONFIG', value: ({ config }) => config.name },
    { title: 'STATE', value: (row) => stateOf(row, now) },
    { title: 'DEVICES', value: ({ hwid, devices }) => (hwid.mode === 'off' ? '-' : `${devices} of ${hwid.limit}`) },
    {
      title: 'FETCHED',
      value: ({ last_fetch }) => (last_fetch ? `${age(last_fetch.at, now)} ago, ${last_fetch.outcome}` : 'never'),
    },
    { title: 'BY', value: ({ last_fetch }) => last_fetch?.user_agent ?? '' },
  ]);
});

export const show = withClient(async (client, call) => {
  const reveal = flag(call, 'reveal') || flag(call, 'qr');
  const found = await client.clients.get({
    params: { id: arg(call, 0) },
    query: { reveal: reveal ? 'true' : 'false' },
  });
  if (!flag(call, 'qr') || found.link === null) return await call.out.thing(found);
  const { renderUnicodeCompact } = await import('uqr');
  // Two rows of the picture are one line.
  call.out.raw(`${renderUnicodeCompact(found.link, { border: 2, ecc: 'L' })}\n`);
  call.out.raw(`${found.link}\n`);
});

export const add = withClient(async (client, call) => {
  const body = { name: arg(call, 0), config: arg(call, 1), ...(await writtenOf(call, undefined)) };
  await told(await client.clients.create({ body }), call);
});

export const edit = withClient(async (client, call) => {
  if (flag(call, 'disable') && flag(call, 'enable')) throw usage('both --disable and --enable', 'Name one of them.');
  const known = await client.clients.get({ params: { id: arg(call, 0) } });
  const [name, config] = [text(call, 'rename'), text(call, 'config')];
  const enabled = flag(call, 'disable') ? false : flag(call, 'enable') || undefined;
  const body = {
    ...(await writtenOf(call, known)),
    ...(name === undefined ? {} : { name }),
    ...(config === undefined ? {} : { config }),
    ...(enabled === undefined ? {} : { enabled }),
  };
  if (Object.keys(body).length === 0) throw usage('nothing to change was named', 'sboxmgr client edit --help');
  const headers = { 'if-match': `"${known.revision}"` };
  await told(await client.clients.update({ params: { id: known.id }, headers, body }), call);
});

async function told(made: Client, { out, host }: Call): Promise<void> {
  await out.thing(made, () => {
    const state = `${made.name}: takes ${made.config.name}, ${stateOf(made, host.clock.now())}`;
    return made.link === null ? state : `${state}\n${made.link}`;
  });
}

export const remove = withClient(async (client, call) => {
  const known = await client.clients.get({ params: { id: arg(call, 0) } });
  await client.clients.remove({ params: { id: known.id }, headers: { 'if-match': `"${known.revision}"` } });
  call.out.talk(`${known.name} was deleted`);
});

export const rotate = withClient(async (client, call) => {
  await told(await client.clients.rotate({ params: { id: arg(call, 0) } }), call);
  call.out.talk('the link before is no longer good');
});

export const devices = withClient(async (client, { out, host, args: [id = ''] }) => {
  const { items } = await client.clients.devices({ params: { id } });
  const now = host.clock.now();
  await out.rows(items, [
    { title: 'DEVICE', value: ({ hwid }) => hwid },
    { title: 'MODEL', value: ({ model }) => model },
    { title: 'OS', value: ({ os, os_version }) => `${os} ${os_version}`.trim() },
    { title: 'APP', value: ({ user_agent }) => user_agent },
    { title: 'SEEN', value: ({ seen_at }) => `${age(seen_at, now)} ago` },
  ]);
});

export const forgetDevice = withClient(async (client, call) => {
  await client.clients.removeDevice({ params: { id: arg(call, 0), hwid: arg(call, 1) } });
  call.out.talk(`${arg(call, 1)} was forgotten`);
});

export const fetches = withClient(async (client, { out, host, args: [id = ''] }) => {
  const { items } = await client.clients.fetches({ params: { id } });
  const now = host.clock.now();
  await out.rows(items, [
    { title: 'WHEN', value: ({ at }) => `${age(at, now)} ago` },
    { title: 'OUTCOME', value: ({ outcome }) => outcome },
    { title: 'FORMAT', value: ({ format }) => format },
    { title: 'RULE', value: ({ rule }) => rule },
    { title: 'VERSION', value: ({ version }) => version },
    { title: 'LEFT OUT', value: ({ left_out }) => left_out },
    { title: 'APP', value: ({ user_agent }) => user_agent },
  ]);
});

export const explain = withClient(async (client, call) => {
  const agent = text(call, 'userAgent');
  const headers = texts(call, 'header').map((line): [string, string] => {
    const [, name, value] = /^([\w-]+):\s*(.*)$/.exec(line) ?? [];
    if (name === undefined) throw usage(`--header ${line} is not "name: value"`, '--header "x-hwid: 1"');
    return [name.toLowerCase(), value ?? ''];
  });
  const [query, path] = [text(call, 'query'), text(call, 'path')];
  for (const [option, value] of [
    ['--query', query],
    ['--path', path],
  ])
    if (value !== undefined && !Object.hasOwn(formatNames, value))
      throw usage(`${option} is one of ${Object.keys(formatNames).join(', ')}`, `${option} base64`);
  const found = await client.clients.explain({
    params: { id: arg(call, 0) },
    body: {
      headers: { ...(agent === undefined ? {} : { 'user-agent': agent }), ...Object.fromEntries(headers) },
      ...(query === undefined ? {} : { query }),
      ...(path === undefined ? {} : { path }),
    },
  });
  await call.out.thing(found, () =>
    [
      ...found.steps.map(({ rule, matched, reason }) => `${matched ? '✔' : '·'} ${rule}: ${reason}`),
      `${found.status} ${found.outcome}: ${found.answer} by ${found.rule}${
        found.engine_version === null ? '' : `, for sing-box ${found.engine_version}`
      }`,
    ].join('\n'),
  );
});

export const rules = withClient(async (client, { out }) => {
  const found = await client.clientRules.get();
  await out.rows(
    found.rules,
    [
      { title: 'RULE', value: ({ name, enabled }) => (enabled ? name : `${name} (off)`) },
      {
        title: 'WHEN',
        value: ({ conditions, match }) =>
          conditions
            .map(({ header, operator, value }) => `${header} ${operator} ${value}`.trim())
            .join(match === 'all' ? ' and ' : ' or ') || 'always',
      },
      { title: 'ANSWER', value: ({ answer }) => answer },
    ],
    found,
  );
});

export const setRules = withClient(async (client, call) => {
  const wanted = await rulesIn(arg(call, 0), call);
  const { revision } = await client.clientRules.get();
  const set = await client.clientRules.replace({ headers: { 'if-match': `"${revision}"` }, body: { rules: wanted } });
  call.out.talk(set.is_default ? 'the rules are those of sbox again' : `${set.rules.length} rules are set`);
});

/** The list itself, or a document that has it as `rules`, as `client rules -o yaml` prints it. */
async function rulesIn(file: string, call: Call): Promise<Rules> {
  const document = (await readDocument(file, call.host, 'request.invalid')) ?? [];
  return (isRecord(document) && 'rules' in document ? document['rules'] : document) as Rules;
}

async function writtenOf(call: Call, known: Client | undefined): Promise<Omit<Write, 'name' | 'config' | 'enabled'>> {
  const plain = (option: string, field: keyof Write) => {
    const value = text(call, option);
    return value === undefined ? {} : { [field]: value };
  };
  const orNone = (option: string, field: keyof Write) => {
    const value = text(call, option);
    return value === undefined ? {} : { [field]: value === 'none' ? null : value };
  };
  const [expires, hours, rulesFile] = [text(call, 'expires'), text(call, 'updateEvery'), text(call, 'rules')];
  const format = text(call, 'format');
  if (format !== undefined && !(clientFormats as readonly string[]).includes(format))
    throw usage(`--format is one of ${clientFormats.join(', ')}`, '--format clash');
  return {
    ...plain('title', 'title'),
    ...plain('note', 'note'),
    ...plain('announce', 'announce'),
    ...plain('format', 'format'),
    ...orNone('supportUrl', 'support_url'),
    ...orNone('webPage', 'web_page_url'),
    ...(expires === undefined ? {} : { expires_at: timeOf(expires, call) }),
    ...(hours === undefined
      ? {}
      : { update_interval_hours: wholeNumber('--update-every', hours, { min: 1, max: 8760 }) }),
    ...hwidOf(call, known),
    ...usageOf(call, known),
    ...(rulesFile === undefined ? {} : { rules: await rulesIn(rulesFile, call) }),
  };
}

function hwidOf(call: Call, known: Client | undefined): Pick<Write, 'hwid'> {
  const [mode, limit] = [text(call, 'hwid'), text(call, 'devices')];
  if (mode === undefined && limit === undefined) return {};
  if (mode !== undefined && mode !== 'off' && mode !== 'optional' && mode !== 'required')
    throw usage('--hwid is one of off, optional, required', '--hwid optional');
  return {
    hwid: {
      ...known?.hwid,
      ...(mode === undefined ? {} : { mode }),
      ...(limit === undefined ? {} : { limit: wholeNumber('--devices', limit, { min: 1, max: 1000 }) }),
    },
  };
}

function usageOf(call: Call, known: Client | undefined): Pick<Write, 'usage'> {
  const [used, total] = [text(call, 'used'), text(call, 'total')];
  if (used === undefined && total === undefined) return {};
  if (total === 'none') return { usage: null };
  return {
    usage: {
      ...known?.usage,
      ...(used === undefined ? {} : { upload: 0, download: bytesOf('--used', used) }),
      ...(total === undefined ? {} : { total: bytesOf('--total', total) }),
    },
  };
}

const powers = 'KMGTP';

/** `1.5G` is 1.5 × 1024³. */
function bytesOf(option: string, typed: string): number {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)\s*([KMGTP]?)(?:i?B)?$/i.exec(typed) ?? [];
  const bytes = Math.round(Number(number) * 1024 ** (unit === '' ? 0 : powers.indexOf(unit.toUpperCase()) + 1));
  if (number === undefined || !Number.isSafeInteger(bytes))
    throw usage(`${option} is no size: ${typed}`, `${option} 100G`);
  return bytes;
}

/** A time, or how long from now. */
function timeOf(typed: string, { host }: Call): string | null {
  if (typed === 'never') return null;
  const ms = parseDuration(typed) ?? Date.parse(typed) - host.clock.now();
  if (Number.isNaN(ms)) throw usage(`--expires ${typed} is neither a time nor a duration`, '--expires 30d');
  return isoTime(host.clock.now() + ms);
}
