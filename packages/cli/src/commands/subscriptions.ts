import { isProblemCode, ProblemError, problemRow } from '@sbox/core';
import type { operatorContract, RouteResult } from '@sbox/protocol';
import { arg, flag, text, texts, wholeNumber, type Call } from '../command.ts';
import type { OperatorClient } from '../connection.ts';
import { projectOf } from './bounds-options.ts';
import { counted } from '../counted.ts';
import { nodeAddress } from '../node-address.ts';
import type { Column } from '../out.ts';
import { readSource, urlIn } from '../read-source.ts';
import { age, everyPage, withClient } from './remote.ts';

type Subscription = Awaited<ReturnType<OperatorClient['subscriptions']['get']>>;
type Node = Awaited<ReturnType<OperatorClient['subscriptions']['nodes']>>['items'][number];

const columns = (now: number): Column<Subscription>[] => [
  { title: 'NAME', value: ({ name }) => name },
  { title: 'NODES', value: ({ nodes }) => nodes },
  { title: 'REJECTED', value: ({ rejected }) => rejected },
  {
    title: 'VERSION',
    value: ({ version, pinned_version }) => (pinned_version === null ? version : `${pinned_version} (pinned)`),
  },
  {
    title: 'FETCHED',
    value: ({ last_fetch }) => (last_fetch ? `${age(last_fetch.at, now)} ago, ${last_fetch.outcome}` : 'never'),
  },
  { title: 'WHY', value: ({ last_fetch }) => last_fetch?.detail ?? '' },
];

export const list = withClient(async (client, call) => {
  const { out, host } = call;
  const items = await everyPage((query) => client.subscriptions.list({ query: { ...query, ...projectOf(call) } }));
  if (items.length === 0) out.talk('No subscriptions yet. Add one: sboxmgr subscription add NAME URL');
  await out.rows(items, columns(host.clock.now()));
});

/** A URL stays a URL; a file is read here and handed over as text. */
async function sourceOf(from: string, call: Call) {
  const url = await urlIn(from);
  if (url === undefined) {
    const { bytes } = await readSource(from, call.host);
    return { type: 'inline' as const, text: new TextDecoder().decode(bytes) };
  }
  const userAgent = text(call, 'userAgent');
  const headers = texts(call, 'header').map((line) => {
    const [, name, value] = /^([\w-]+):\s*(.*)$/.exec(line) ?? [];
    if (name === undefined) throw new ProblemError('command.usage', `--header ${line} is not "name: value"`);
    return [name.toLowerCase(), value ?? ''] as const;
  });
  return {
    type: 'url' as const,
    url,
    ...(userAgent === undefined ? {} : { user_agent: userAgent }),
    ...(headers.length === 0 ? {} : { headers: Object.fromEntries(headers) }),
  };
}

function settingsOf(call: Call) {
  const every = text(call, 'refreshEvery');
  const share = text(call, 'minShare');
  return {
    ...(every === undefined ? {} : { refresh_every: every }),
    ...(share === undefined ? {} : { min_share: Number(share) }),
    ...projectOf(call),
  };
}

export const add = withClient(async (client, call) => {
  const source = await sourceOf(arg(call, 1), call);
  const made = await client.subscriptions.add({ body: { name: arg(call, 0), source, ...settingsOf(call) } });
  await call.out.thing(made, () => call.out.text(said(made)));
  return made.version === null ? 9 : 0;
});

/** What to do about a code, on a line of its own. */
const fixOf = (code: string | null | undefined): string =>
  code && isProblemCode(code) ? `\nfix:   ${problemRow(code).fix}` : '';

function said({ name, nodes, rejected, version, last_fetch }: Subscription): string {
  if (version === null)
    return `${name} was added, but has no nodes yet: ${last_fetch?.detail ?? 'it was not fetched'}${fixOf(last_fetch?.code)}`;
  return `${name}: version ${version}, ${counted(nodes, 'node')}, ${rejected} rejected`;
}

export const show = withClient(async (client, call) => {
  await call.out.thing(
    await client.subscriptions.get({ params: { id: arg(call, 0) }, query: { reveal: flag(call, 'reveal') } }),
  );
});

export const edit = withClient(async (client, call) => {
  const from = text(call, 'source');
  const name = text(call, 'rename');
  const body = {
    ...settingsOf(call),
    ...(name === undefined ? {} : { name }),
    ...(from === undefined ? {} : { source: await sourceOf(from, call) }),
  };
  if (Object.keys(body).length === 0)
    throw new ProblemError('command.usage', 'nothing to change was named', { fix: 'sboxmgr subscription edit --help' });
  const known = await client.subscriptions.get({ params: { id: arg(call, 0) } });
  const changed = await client.subscriptions.update({
    params: { id: known.id },
    headers: { 'if-match': `"${known.revision}"` },
    body,
  });
  await call.out.thing(changed, () => call.out.text(said(changed)));
});

export const remove = withClient(async (client, call) => {
  const known = await client.subscriptions.get({ params: { id: arg(call, 0) } });
  await client.subscriptions.remove({ params: { id: known.id }, headers: { 'if-match': `"${known.revision}"` } });
  call.out.talk(`${known.name} was deleted`);
});

export const fetch = withClient(async (client, call) => {
  const done = await client.subscriptions.refresh({
    params: { id: arg(call, 0) },
    query: { accept: flag(call, 'accept') },
  });
  await call.out.thing(
    done,
    () =>
      `${done.outcome}${done.version === null ? '' : `, version ${done.version}`}${done.detail === null ? '' : `: ${done.detail}`}${fixOf(done.code)}`,
  );
  return done.outcome === 'failed' || done.outcome === 'quarantined' ? 7 : 0;
});

const nodeColumns: Column<Node>[] = [
  { title: 'TAG', value: ({ tag }) => tag },
  { title: 'TYPE', value: ({ type }) => type },
  { title: 'SERVER', value: nodeAddress },
];

export const preview = withClient(async (client, call) => {
  const found = await client.subscriptions.preview({ body: { source: await sourceOf(arg(call, 0), call) } });
  for (const { line, reason } of found.rejected) call.out.talk(`rejected line ${line}: ${reason}`);
  await call.out.rows(found.nodes, nodeColumns, found);
});

export const nodes = withClient(async (client, call) => {
  const found = await client.subscriptions.nodes({
    params: { id: arg(call, 0) },
    query: { reveal: flag(call, 'reveal') },
  });
  for (const { line, reason } of found.rejected) call.out.talk(`rejected line ${line}: ${reason}`);
  await call.out.rows(found.items, nodeColumns, found);
});

export const fetches = withClient(async (client, { out, args, host }) => {
  const { items } = await client.subscriptions.fetches({ params: { id: args[0] ?? '' } });
  const now = host.clock.now();
  await out.rows(items, [
    { title: 'WHEN', value: ({ at }) => `${age(at, now)} ago` },
    { title: 'OUTCOME', value: ({ outcome }) => outcome },
    { title: 'VERSION', value: ({ version }) => version },
    { title: 'STATUS', value: ({ status }) => status },
    { title: 'BYTES', value: ({ bytes }) => bytes },
    { title: 'MS', value: ({ duration_ms }) => duration_ms },
    { title: 'WHY', value: ({ detail }) => detail ?? '' },
  ]);
});

export const versions = withClient(async (client, { out, args, host }) => {
  const items = await everyPage((query) => client.subscriptions.versions({ params: { id: args[0] ?? '' }, query }));
  const now = host.clock.now();
  await out.rows(items, [
    { title: 'VERSION', value: ({ version }) => version },
    { title: 'NODES', value: (row) => row.nodes },
    { title: 'REJECTED', value: ({ rejected }) => rejected },
    { title: 'FORMAT', value: ({ format }) => format },
    { title: 'AGE', value: ({ created_at }) => age(created_at, now) },
  ]);
});

type Diff = RouteResult<typeof operatorContract.subscriptions.diff>;

const diffLines = ({ added, removed, renamed, unchanged }: Diff): string =>
  [
    ...added.map(({ tag, type }) => `+ ${tag} (${type})`),
    ...removed.map(({ tag, type }) => `- ${tag} (${type})`),
    ...renamed.map(({ from, to }) => `~ ${from} is now ${to}`),
    `${unchanged} unchanged`,
  ].join('\n');

export const diff = withClient(async (client, call) => {
  const against = text(call, 'against');
  const found = await client.subscriptions.diff({
    params: { id: arg(call, 0), version: arg(call, 1) },
    query: against === undefined ? {} : { against },
  });
  await call.out.thing(found, () => diffLines(found));
});

export const pin = withClient(async (client, call) => {
  const version = arg(call, 1) === 'newest' ? null : wholeNumber('VERSION', arg(call, 1));
  const changed = await client.subscriptions.pin({ params: { id: arg(call, 0) }, body: { version } });
  await call.out.thing(changed, () =>
    call.out.text(
      version === null
        ? `${changed.name} follows the newest version`
        : `${changed.name} is pinned to version ${version}`,
    ),
  );
});
