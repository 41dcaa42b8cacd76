import { isoTime, parseDuration, ProblemError } from '@sbox/core';
import type { RouteInput } from '@sbox/protocol';
import type { operatorContract } from '@sbox/protocol';
import { arg, flag, text, texts, wholeNumber, type Call } from '../command.ts';
import { type OperatorClient } from '../connection.ts';
import type { Out } from '../out.ts';
import { readText } from '../read-file.ts';
import { changesLines } from '../changes-text.ts';
import { counted } from '../counted.ts';
import { projectOf } from './bounds-options.ts';
import { isPlainMixed, readRecipeParts, refuseUnused } from './config-parts.ts';
import { age, everyPage, withClient } from './remote.ts';
import { findingLine, versionLine } from './version-lines.ts';
import { readVersion, readVersionName } from './version-name.ts';

type ConfigWrite = RouteInput<typeof operatorContract.configs.create>['body'];
type Deployment = Awaited<ReturnType<OperatorClient['deployments']['get']>>;
type Settings = NonNullable<ConfigWrite['settings']>;

export const list = withClient(async (client, call) => {
  const { out } = call;
  const items = await everyPage((query) => client.configs.list({ query: { ...query, ...projectOf(call) } }));
  if (items.length === 0) out.talk('No configs yet. Make one: sboxmgr config create NAME --subscription NAME');
  await out.rows(items, [
    { title: 'NAME', value: ({ name }) => name },
    { title: 'PROJECT', value: ({ project }) => project },
    { title: 'VERSION', value: ({ version }) => version },
    { title: 'SERVERS', value: ({ servers }) => servers },
    { title: 'SUBSCRIPTIONS', value: ({ subscriptions }) => subscriptions.map(({ name }) => name).join(', ') },
    { title: 'AUTO-DEPLOY', value: ({ auto_deploy }) => auto_deploy },
  ]);
});

/** Settings from `--settings FILE`, with what the options say over them. */
async function settingsOf(call: Call): Promise<Settings> {
  const file = text(call, 'settings');
  const base =
    (file === undefined ? {} : ((await import('../yaml-text.ts')).parse(await readText(file)) as Settings | null)) ??
    {};
  const port = text(call, 'port');
  const listen = text(call, 'listen');
  const urltestUrl = text(call, 'urltestUrl');
  const probeUrls = texts(call, 'probeUrl');
  const watch = text(call, 'watch');
  const inbound = base.inbounds?.[0];
  return {
    ...base,
    ...(port === undefined && listen === undefined
      ? {}
      : {
          inbounds: [
            {
              ...inbound,
              listen_port:
                port === undefined ? (inbound?.listen_port ?? 2080) : wholeNumber('--port', port, { max: 65_535 }),
              ...(listen === undefined ? {} : { listen }),
            },
            ...(base.inbounds ?? []).slice(1),
          ],
        }),
    ...(urltestUrl === undefined ? {} : { urltest: { ...base.urltest, url: urltestUrl } }),
    ...(probeUrls.length === 0 ? {} : { probe: { ...base.probe, urls: [...probeUrls] } }),
    ...(watch === undefined ? {} : { watch }),
  };
}

export const create = withClient(async (client, call) => {
  const subscriptions = texts(call, 'subscription');
  const parts = await readRecipeParts(client, call);
  if (subscriptions.length === 0 && parts.template === undefined)
    throw new ProblemError('command.usage', 'a config needs a subscription, or a template with nodes of its own', {
      fix: 'sboxmgr config create NAME --subscription NAME',
    });
  const made = await client.configs.create({
    query: { draft: flag(call, 'draft') ? 'true' : 'false' },
    body: {
      name: arg(call, 0),
      ...projectOf(call),
      subscriptions: [...subscriptions],
      settings: await settingsOf(call),
      ...parts,
      auto_deploy: flag(call, 'autoDeploy'),
    },
  });
  await call.out.thing(made, () =>
    call.out.text(
      made.version === null
        ? `${made.name} was made; it has no version until ${flag(call, 'draft') ? 'its draft is published' : 'its subscriptions have nodes'}`
        : `${made.name}: version ${made.version}`,
    ),
  );
});

export const show = withClient(async (client, call) => {
  await call.out.thing(await client.configs.get({ params: { id: arg(call, 0) } }));
});

export const edit = withClient(async (client, call) => {
  const settings = await settingsOf(call);
  const subscriptions = texts(call, 'subscription');
  const name = text(call, 'rename');
  const autoDeploy = call.options['autoDeploy'];
  const body = {
    ...(name === undefined ? {} : { name }),
    ...projectOf(call),
    ...(subscriptions.length === 0 ? {} : { subscriptions: [...subscriptions] }),
    ...(Object.keys(settings).length === 0 ? {} : { settings }),
    ...(await readRecipeParts(client, call)),
    ...(typeof autoDeploy === 'boolean' ? { auto_deploy: autoDeploy } : {}),
  };
  if (Object.keys(body).length === 0)
    throw new ProblemError('command.usage', 'nothing to change was named', { fix: 'sboxmgr config edit --help' });
  const known = await client.configs.get({ params: { id: arg(call, 0) } });
  if (body.template === undefined && !isPlainMixed(known.template)) refuseUnused(known.template, call);
  const changed = await client.configs.update({
    params: { id: known.id },
    headers: { 'if-match': `"${known.revision}"` },
    body,
  });
  await call.out.thing(changed, () =>
    call.out.text(`${changed.name} was changed. Make a version of it: sboxmgr config generate ${changed.name}`),
  );
});

export const remove = withClient(async (client, call) => {
  const known = await client.configs.get({ params: { id: arg(call, 0) } });
  await client.configs.remove({ params: { id: known.id }, headers: { 'if-match': `"${known.revision}"` } });
  call.out.talk(`${known.name} was deleted`);
});

/** A version as an argument: by its number or a tag. */
const versionOf = (call: Call) => ({ id: arg(call, 0), version: String(readVersion(arg(call, 1))) });

const optionalVersion = (call: Call): number | string | undefined => {
  const typed = text(call, 'version');
  return typed === undefined ? undefined : readVersion(typed);
};

export const generate = withClient(async (client, call) => {
  const made = await client.configs.generate({
    params: { id: arg(call, 0) },
    body: { message: text(call, 'message') ?? '', draft: flag(call, 'draft') },
  });
  await call.out.thing(made, () =>
    call.out.text(`${made.created ? '' : 'nothing changed, it is still '}${versionLine(made.version)}`),
  );
  const { state, version } = made.version;
  if (state === 'draft')
    call.out.talk(
      `To look at it: sboxmgr config diff ${arg(call, 0)} ${version}   To publish it: sboxmgr config publish ${arg(call, 0)} ${version}`,
    );
});

export const validate = withClient(async (client, call) => {
  const found = await client.configs.validate({ params: { id: arg(call, 0) } });
  const lines = [
    ...found.findings.map(({ path, message }) => `✗ ${path}: ${message}`),
    ...found.policies.map(findingLine),
    ...found.left_out.map(({ tag, reason }) => `- ${tag} is left out: ${reason}`),
    ...(found.engine_check
      ? [
          `${found.engine_check.ok ? '✔' : '✗'} check of the engine${found.engine_check.message ? `: ${found.engine_check.message}` : ''}`,
        ]
      : []),
    `${counted(found.nodes, 'node')}, ${found.valid ? 'valid' : 'not valid'}`,
  ];
  await call.out.thing(found, () => lines.join('\n'));
  return found.valid ? 0 : 7;
});

export const versions = withClient(async (client, { out, args, host }) => {
  const items = await everyPage((query) => client.configs.versions({ params: { id: args[0] ?? '' }, query }));
  const now = host.clock.now();
  await out.rows(items, [
    { title: 'VERSION', value: ({ version }) => version },
    { title: 'STATE', value: ({ state }) => state },
    { title: 'TAGS', value: ({ tags }) => tags.join(', ') },
    { title: 'NODES', value: ({ nodes }) => nodes },
    { title: 'AGE', value: ({ created_at }) => age(created_at, now) },
    { title: 'AUTHOR', value: ({ author }) => author },
    { title: 'LIKE', value: ({ rollback_of }) => rollback_of },
    { title: 'MESSAGE', value: ({ message }) => message },
  ]);
});

export const showVersion = withClient(async (client, call) => {
  await call.out.thing(await client.configs.version({ params: versionOf(call) }));
});

export const diff = withClient(async (client, call) => {
  const [against, server] = [text(call, 'against'), text(call, 'server')];
  const found = await client.configs.diff({
    params: versionOf(call),
    query: { ...(against === undefined ? {} : { against }), ...(server === undefined ? {} : { server }) },
  });
  await call.out.thing(found, () => (flag(call, 'text') ? found.text : changesLines(found, call.out.text).join('\n')));
  return flag(call, 'exitCode') && found.text !== '' ? 20 : 0;
});

const defaultWaitMs = 120_000;

/** Waits for the end of a deployment; the polling ends with the time-out. */
async function follow(client: OperatorClient, call: Call, started: Deployment): Promise<number> {
  const { out, host } = call;
  if (call.options['wait'] === false) {
    await out.thing(started, () => out.text(`deployment ${started.id} has begun`));
    return 0;
  }
  const typed = text(call, 'timeout');
  const limitMs = typed === undefined ? defaultWaitMs + started.confirm_ms : parseDuration(typed);
  if (limitMs === undefined)
    throw new ProblemError('command.usage', '--timeout is no duration', { fix: '--timeout 2m' });
  const deadline = host.clock.monotonic() + limitMs;
  if (started.confirm_ms > 0 && started.state === 'running') {
    const until = isoTime(host.clock.now() + started.confirm_ms).slice(11, 19);
    out.talk(
      `waits for confirmation until about ${until} UTC, on the server: sboxagent config confirm; else it stays only where the manager is still reached`,
    );
  }
  const tell = createTeller(out);
  let now = started;
  while (now.state === 'running') {
    tell(now);
    if (host.clock.monotonic() > deadline)
      throw new ProblemError('command.timeout', `deployment ${now.id} is still running`, {
        fix: `sboxmgr deployment show ${now.id}`,
      });
    await host.clock.sleep(250, host.signal);
    now = await client.deployments.get({ params: { id: started.id } });
  }
  await out.thing(now, () => out.text(deploymentLines(now)));
  if (now.state === 'halted')
    throw new ProblemError(
      'deployment.halted',
      now.reason ? `${now.reason.code}: ${now.reason.detail}` : 'no reason was given',
    );
  return 0;
}

/** What a server does now, in words; what is not named here is no news, or the end. */
const progress: Readonly<Record<string, string>> = {
  sent: 'has been told',
  serving: 'serves the new version, and watches it',
  committed: 'committed',
};

/** Tells once of each step that a server takes while people wait. */
function createTeller(out: Out): (deployment: Deployment) => void {
  const told = new Map<string, string>();
  let toldHeld = '';
  return ({ servers, held }) => {
    const waits = held === null ? '' : heldWords(held);
    if (waits !== '' && waits !== toldHeld) out.talk(waits);
    toldHeld = waits;
    for (const { name, state } of servers) {
      const words = progress[state];
      if (words === undefined || told.get(name) === state) continue;
      told.set(name, state);
      out.talk(`${name} ${words}`);
    }
  };
}

const heldWords = ({ environments, reason, until }: NonNullable<Deployment['held']>): string =>
  `held by the freeze of ${environments.join(', ')} ${until === null ? 'without end' : `until ${until}`}: ${reason}`;

const deploymentLines = ({ servers, state, version, engine, held, override_freeze: reason }: Deployment): string =>
  [
    ...servers.map((server) => `${server.name}: ${server.state}`),
    `version ${version}${engine === null ? '' : ` with sing-box ${engine}`}: ${state}`,
    ...(held === null ? [] : [heldWords(held)]),
    ...(reason === null ? [] : [`in spite of a freeze: ${reason}`]),
  ].join('\n');

async function start(client: OperatorClient, call: Call, version: number | string | undefined): Promise<Deployment> {
  const named = readVersionName(arg(call, 0));
  const wanted = version ?? named.version;
  const [servers, environment, selector] = [texts(call, 'server'), text(call, 'environment'), text(call, 'selector')];
  const [engine, confirm, reason] = [text(call, 'engine'), text(call, 'confirm'), text(call, 'overrideFreeze')];
  const started = await client.configs.deploy({
    params: { id: named.config },
    body: {
      message: text(call, 'message') ?? '',
      ...(wanted === undefined ? {} : { version: wanted }),
      ...(servers.length === 0 ? {} : { servers: [...servers] }),
      ...(environment === undefined ? {} : { environment }),
      ...(selector === undefined ? {} : { selector }),
      ...(engine === undefined ? {} : { engine }),
      ...(confirm === undefined ? {} : { confirm }),
      ...(reason === undefined ? {} : { override_freeze: reason }),
    },
  });
  // Who names servers knows them.
  if ((environment ?? selector) !== undefined) call.out.talk(targetWords(started));
  return started;
}

const mostNamed = 20;

function targetWords({ servers }: Deployment): string {
  const names = servers.slice(0, mostNamed).map(({ name }) => name);
  const more = servers.length > mostNamed ? ', …' : '';
  return `goes to ${counted(servers.length, 'server')}: ${names.join(', ')}${more}`;
}

export const deploy = withClient(
  async (client, call) => await follow(client, call, await start(client, call, optionalVersion(call))),
);

export const rollback = withClient(async (client, call) => {
  const made = await client.configs.rollback({
    params: { id: arg(call, 0) },
    body: { version: readVersion(arg(call, 1)), message: text(call, 'message') ?? '' },
  });
  call.out.talk(`version ${made.version} is like version ${arg(call, 1)}`);
  const layers = await client.settings.list({ query: { limit: 1 } }).catch(() => ({ items: [] }));
  if (layers.items.length > 0)
    call.out.talk('settings in layers stay as they are, and the next version reads them again: sboxmgr settings list');
  if (call.options['deploy'] === false) {
    await call.out.thing(made, () => call.out.text(versionLine(made)));
    return 0;
  }
  return await follow(client, call, await start(client, call, made.version));
});

export const exportText = withClient(async (client, call) => {
  const named = readVersionName(arg(call, 0));
  const version = optionalVersion(call) ?? named.version;
  const server = text(call, 'server');
  const { bytes } = await client.configs.export({
    params: { id: named.config },
    query: {
      ...(version === undefined ? {} : { version: String(version) }),
      ...(server === undefined ? {} : { server }),
    },
  });
  call.out.raw(new TextDecoder().decode(bytes));
});

export const deployments = withClient(async (client, { out, host }) => {
  const { items } = await client.deployments.list({ query: { limit: 100 } });
  const known = await everyPage((query) => client.configs.list({ query }));
  const names = new Map(known.map(({ id, name }) => [id, name]));
  const now = host.clock.now();
  for (const { name, held_version: version } of known)
    if (version !== null) out.talk(`${name}: version ${version} waits for the end of a freeze`);
  await out.rows(items, [
    { title: 'ID', value: ({ id }) => id },
    { title: 'CONFIG', value: ({ config_id }) => names.get(config_id) ?? config_id },
    { title: 'VERSION', value: ({ version }) => version },
    { title: 'ENGINE', value: ({ engine }) => engine ?? 'own' },
    { title: 'STATE', value: ({ state }) => state },
    { title: 'SERVERS', value: ({ servers }) => servers.length },
    { title: 'AGE', value: ({ created_at }) => age(created_at, now) },
    { title: 'WHY', value: ({ reason, held }) => reason?.detail ?? (held ? heldWords(held) : '') },
  ]);
});

export const deployment = withClient(async (client, call) => {
  const found = await client.deployments.get({ params: { id: arg(call, 0) } });
  await call.out.thing(found, () => call.out.text(deploymentLines(found)));
});
