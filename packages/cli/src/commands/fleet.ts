import path from 'node:path';
import { compareGenerations, fromProblem, ProblemError, type Generation } from '@sbox/core';
import { arg, flag, text, texts, wholeNumber, type Call } from '../command.ts';
import { connect, type OperatorClient } from '../connection.ts';
import { placeChange, placeOf, printLabels } from './labels.ts';
import { writeWhole } from '../write-file.ts';
import { age, configNames, everyPage, withClient } from './remote.ts';
import { engineOf, isInSync, orderKey, printServer, runsOf, why, type Server } from './server-text.ts';

/** Of each order what it brought: `main@4` by server and generation, as far as the newest deployments tell. */
async function orderNames(
  client: OperatorClient,
  items: readonly Server[],
  names: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  const add = (server: string, order: Generation, config: string, version: number | null): void =>
    void found.set(orderKey(server, order), `${names.get(config) ?? config}@${version ?? '?'}`);
  if (
    items.some(({ desired, status }) => desired && status?.running && compareGenerations(status.running, desired) !== 0)
  ) {
    const past = await client.deployments.list({ query: { limit: 100 } }).catch(() => ({ items: [] }));
    for (const { config_id: config, version, servers: moved } of past.items)
      for (const order of moved) add(order.server_id, order, config, version);
  }
  for (const { id, desired } of items) if (desired?.config_id) add(id, desired, desired.config_id, desired.version);
  return found;
}

export const servers = withClient(async (client, call) => {
  const { out, host } = call;
  const [selector, environment] = [text(call, 'selector'), text(call, 'environment')];
  const filter = {
    ...(selector === undefined ? {} : { selector }),
    ...(environment === undefined ? {} : { environment }),
  };
  const items = await everyPage((query) => client.servers.list({ query: { ...query, ...filter } }));
  const isAll = Object.keys(filter).length === 0;
  if (items.length === 0)
    out.talk(isAll ? 'No servers yet. Make a join token: sboxmgr server token' : 'No server is like that.');
  const now = host.clock.now();
  const orders = await orderNames(client, items, await configNames(client));
  await out.rows(items, [
    { title: 'SERVER', value: ({ name }) => name },
    { title: 'STATE', value: ({ state }) => state },
    { title: 'ENVIRONMENT', value: (row) => row.environment },
    { title: 'LABELS', value: ({ labels }) => printLabels(labels) },
    { title: 'ENGINE', value: engineOf },
    { title: 'RUNS', value: (row) => runsOf(row, orders) },
    { title: 'WANTED', value: ({ id, desired }) => (desired ? orders.get(orderKey(id, desired)) : null) },
    { title: 'IN SYNC', value: isInSync },
    { title: 'SEEN', value: ({ seen_at }) => (seen_at === null ? 'never' : `${age(seen_at, now)} ago`) },
    { title: 'WHY', value: (row) => why(row, now) },
  ]);
});

export const server = withClient(async (client, call) => {
  const found = await client.servers.get({ params: { id: arg(call, 0) } });
  const now = call.host.clock.now();
  await call.out.thing(found, () => printServer(found, now));
});

export const editServer = withClient(async (client, call) => {
  const known = await client.servers.get({ params: { id: arg(call, 0) } });
  const name = text(call, 'rename');
  const made = await client.servers.update({
    params: { id: known.id },
    headers: { 'if-match': `"${known.revision}"` },
    body: { ...(name === undefined ? {} : { name }), ...placeChange(call) },
  });
  await call.out.thing(made, () => `${made.name}: ${describePlace(made)}`);
});

const describePlace = ({ environment, labels }: Server): string =>
  `${environment === null ? 'no environment' : `environment ${environment}`}, ${printLabels(labels) || 'no labels'}`;

export const joinToken = withClient(async (client, call) => {
  const name = text(call, 'name');
  const made = await client.joinTokens.create({
    body: { ttl: text(call, 'ttl') ?? '1h', ...placeOf(call), ...(name === undefined ? {} : { name }) },
  });
  const file = text(call, 'file');
  if (file !== undefined) {
    await writeWhole(path.resolve(call.host.cwd, file), `${made.token}\n`);
    call.out.talk(`wrote ${file} (mode 0600), good until ${made.expires_at}`);
    return;
  }
  call.out.talk(
    `good for one server until ${made.expires_at}. On the server, with the token in a file:\n  sboxagent join URL --token-file FILE`,
  );
  await call.out.thing(made, () => made.token);
});

export const joinTokens = withClient(async (client, { out, host }) => {
  const items = await everyPage((query) => client.joinTokens.list({ query }));
  const now = host.clock.now();
  const state = (row: { readonly used_at: string | null; readonly expires_at: string }): string =>
    row.used_at !== null ? 'used' : Date.parse(row.expires_at) < now ? 'expired' : 'open';
  await out.rows(items, [
    { title: 'ID', value: ({ id }) => id },
    { title: 'NAME', value: ({ name }) => name },
    { title: 'STATE', value: state },
    { title: 'ENVIRONMENT', value: (row) => row.environment },
    { title: 'LABELS', value: ({ labels }) => printLabels(labels) },
    { title: 'AGE', value: ({ created_at }) => age(created_at, now) },
  ]);
});

export const withdraw = withClient(async (client, call) => {
  await client.joinTokens.remove({ params: { id: arg(call, 0) } });
  call.out.talk('the token was withdrawn');
});

export const addServer = withClient(async (client, call) => {
  const version = text(call, 'engineVersion');
  const tags = text(call, 'tags')?.split(',') ?? ['with_quic', 'with_wireguard', 'with_clash_api', 'with_gvisor'];
  const made = await client.servers.add({
    body: {
      name: arg(call, 0),
      ...placeOf(call),
      ...(version === undefined ? {} : { engine: { kind: 'sing-box', version, tags } }),
    },
  });
  const { pin } = await client.system.status();
  await call.out.thing({ ...made, pin }, () =>
    [
      `${made.name} was added. Deploy a config to it, then carry its bundle over:`,
      `  sboxmgr config deploy NAME --server ${made.name} --no-wait`,
      `  sboxmgr server bundle ${made.name}`,
      `  sboxagent import ${made.name}.sbox.tar --pin ${pin}      (on the server)`,
    ].join('\n'),
  );
});

export const removeServer = withClient(async (client, call) => {
  const known = await client.servers.get({ params: { id: arg(call, 0) } });
  await client.servers.remove({ params: { id: known.id }, headers: { 'if-match': `"${known.revision}"` } });
  call.out.talk(`${known.name} is forgotten; its agent keeps running what it has`);
});

export const bundle = withClient(async (client, call) => {
  const name = arg(call, 0);
  const withEngine = flag(call, 'withEngine');
  const { desired } = await client.servers.get({ params: { id: name } });
  const { bytes } = await client.servers.bundle({ params: { id: name }, query: { engine: withEngine } });
  const file = path.resolve(call.host.cwd, text(call, 'file') ?? `${name}.sbox.tar`);
  await writeWhole(file, bytes ?? new Uint8Array());
  const { pin } = await client.system.status();
  call.out.talk(
    `wrote ${file} (mode 0600: it holds secrets). On the server:\n  sboxagent import ${path.basename(file)}      (the first time with --pin ${pin})`,
  );
  if (desired?.engine && !withEngine)
    call.out.talk(`sing-box ${desired.engine} is not in it: where the server does not have it, use --with-engine`);
});

export const events = withClient(async (client, call) => {
  const type = text(call, 'type');
  const { items } = await client.events.list({
    query: {
      limit: wholeNumber('--limit', text(call, 'limit') ?? '50', { max: 1000 }),
      ...(type === undefined ? {} : { type }),
    },
  });
  const now = call.host.clock.now();
  await call.out.rows(items, [
    { title: 'WHEN', value: ({ timestamp }) => `${age(timestamp, now)} ago` },
    { title: 'TYPE', value: (row) => row.type },
    {
      title: 'WHAT',
      value: ({ data }) =>
        Object.entries(data)
          .map(([key, value]) => `${key}=${String(value)}`)
          .join(' '),
    },
  ]);
});

export const status = withClient(async (client, { out }) => {
  await out.thing(await client.system.status());
});

export const health = withClient(async (client, { out }) => {
  const found = await client.system.health();
  await out.thing(found, () =>
    found.checks.map(({ name, ok, detail }) => `${ok ? '✔' : '✗'} ${name}: ${detail}`).join('\n'),
  );
  return found.ok ? 0 : 1;
});

const methodsWithBody = new Set(['POST', 'PUT', 'PATCH']);
const methods = new Set(['GET', 'DELETE', ...methodsWithBody]);

/** One request as it is typed; problems of the manager come out as they are. */
export const api = async (call: Call): Promise<number> => {
  await using connection = await connect(call);
  const method = arg(call, 0).toUpperCase();
  if (!methods.has(method)) {
    throw new ProblemError('command.usage', `${arg(call, 0)} is not one of ${[...methods].join(', ')}`);
  }
  const headers = texts(call, 'header').map((line) => [
    line.split(':')[0]?.trim().toLowerCase() ?? '',
    line.slice(line.indexOf(':') + 1).trim(),
  ]);
  const body = methodsWithBody.has(method) ? await call.host.stdin() : undefined;
  const answer = await connection.transport({
    method,
    path: arg(call, 1),
    headers: {
      ...(body ? { 'content-type': 'application/json' } : {}),
      ...(Object.fromEntries(headers) as Record<string, string>),
    },
    body,
    signal: undefined,
  });
  const said = new TextDecoder().decode(answer.body);
  if (answer.status >= 400) throw fromProblem(parse(said), `${answer.status} ${said.slice(0, 200)}`);
  call.out.raw(said.endsWith('\n') || said === '' ? said : `${said}\n`);
  return 0;
};

function parse(said: string): unknown {
  try {
    return JSON.parse(said) as unknown;
  } catch {
    return undefined;
  }
}
