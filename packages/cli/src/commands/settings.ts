import { ProblemError } from '@sbox/core';
import { settingKeys } from '@sbox/protocol';
import { arg, flag, text, wholeNumber, type Call } from '../command.ts';
import type { OperatorClient } from '../connection.ts';
import { isRecord, readDocument } from '../local/document-file.ts';
import { everyPage, withClient } from './remote.ts';
import { scopeOf, shown, valuesOf } from './setting-scope.ts';
import { keptLine } from './version-lines.ts';

type Layer = Awaited<ReturnType<OperatorClient['settings']['get']>>;
type Changed = Awaited<ReturnType<OperatorClient['settings']['update']>>;

const reason = (call: Call) => ({ message: text(call, 'message') ?? '' });
const revealing = (call: Call) => (flag(call, 'reveal') ? { reveal: 'true' as const } : {});

export const list = withClient(async (client, { out }) => {
  const items = await everyPage((query) => client.settings.list({ query }));
  if (items.length === 0) out.talk('No values yet. Write one: sboxmgr settings set log_level=info --global');
  await out.rows(items, [
    { title: 'SCOPE', value: ({ scope }) => scope },
    { title: 'VERSION', value: ({ version }) => version },
    { title: 'KEYS', value: ({ values }) => Object.keys(values).join(', ') },
    { title: 'AUTHOR', value: ({ author }) => author },
    { title: 'WRITTEN', value: ({ updated_at }) => updated_at },
  ]);
});

export const keys = withClient(async (client, { out }) => {
  const { items } = await client.settings.keys({});
  await out.rows(items, [
    { title: 'KEY', value: ({ key }) => key },
    { title: 'DEFAULT', value: (row) => (row.default === null ? null : shown(row.default)), mostChars: 20 },
    { title: 'WHAT', value: ({ description }) => description, mostChars: 45 },
    { title: 'TYPE', value: ({ type }) => type, isWide: true },
    {
      title: 'READ BY',
      value: ({ read_by, templates }) => (templates.length > 0 ? templates.join(', ') : read_by),
      isWide: true,
    },
  ]);
});

const print = async ({ scope, version, values }: Layer, { out }: Call): Promise<void> => {
  const lines = Object.entries(values).map(([key, value]) => `  ${key} = ${shown(value)}`);
  await out.thing({ scope, version, values }, () =>
    [`${scope}: ${version === 0 ? 'nothing was written' : `version ${version}`}`, ...lines].join('\n'),
  );
};

export const show = withClient(async (client, call) => {
  await print(await client.settings.get({ params: { scope: scopeOf(call) }, query: revealing(call) }), call);
});

async function told({ scope, version, configs, kept, ...rest }: Changed, { out }: Call): Promise<void> {
  const followed = configs.map((config) => `${config.name} has version ${config.version}`);
  for (const config of kept) out.talk(keptLine(config));
  await out.thing({ scope, version, configs, kept, ...rest }, () =>
    [
      `${scope}: version ${version}`,
      ...(followed.length === 0 ? ['  no config got a new version by it'] : followed.map((line) => `  ${line}`)),
    ].join('\n'),
  );
}

/** Writes what is said over what is there now. */
async function change(client: OperatorClient, call: Call, scope: string, values: Record<string, unknown>) {
  const params = { scope };
  const { revision } = await client.settings.get({ params });
  const body = { values, ...reason(call) };
  await told(await client.settings.update({ params, headers: { 'if-match': `"${revision}"` }, body }), call);
  await warnOfNobody(client, call, scope);
}

/** Values may be there before what they are for; a name that was typed wrong looks the same. */
async function warnOfNobody(client: OperatorClient, call: Call, scope: string): Promise<void> {
  const [kind, ...rest] = scope.split(':');
  const name = rest.join(':');
  const asked = kind === 'environment' ? client.environments.get({ params: { name } }) : undefined;
  const found = kind === 'server' ? client.servers.get({ params: { id: name } }) : asked;
  await found?.catch((error: unknown) => {
    if (error instanceof ProblemError && error.code === `${kind}.not-found`)
      call.out.talk(`there is no ${kind} ${name} yet: the values wait for one of that name`);
  });
}

const removed = (typed: readonly string[]): Record<string, null> => Object.fromEntries(typed.map((key) => [key, null]));

export const set = withClient(async (client, call) => {
  await change(client, call, scopeOf(call), await valuesOf(client, call.args));
});

export const unset = withClient(async (client, call) => {
  await change(client, call, scopeOf(call), removed(call.args));
});

export const setEnvironment = withClient(async (client, call) => {
  const [name = '', ...typed] = call.args;
  await change(client, call, `environment:${name}`, await valuesOf(client, typed));
});

export const unsetEnvironment = withClient(async (client, call) => {
  const [name = '', ...typed] = call.args;
  await change(client, call, `environment:${name}`, removed(typed));
});

export const edit = withClient(async (client, call) => {
  const file = text(call, 'file');
  if (file === undefined) throw new ProblemError('command.usage', 'no file was named', { fix: '--file values.yaml' });
  const document = (await readDocument(file, call.host, 'settings.invalid')) ?? {};
  if (!isRecord(document)) throw new ProblemError('settings.invalid', `${file} must hold keys and values`);
  const params = { scope: scopeOf(call) };
  const { revision } = await client.settings.get({ params });
  const values = dotted(document);
  if (Object.keys(values).length === 0) {
    await client.settings.remove({ params, headers: { 'if-match': `"${revision}"` } });
    call.out.talk(`${params.scope}: no values any more`);
    return;
  }
  const body = { values, ...reason(call) };
  await told(await client.settings.replace({ params, headers: { 'if-match': `"${revision}"` }, body }), call);
});

/** `urltest: {url: …}` is `urltest.url`, and `params` are one level deep. */
function dotted(document: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const isBranch = (key: string): boolean =>
    key === 'params' || Object.keys(settingKeys).some((known) => known.startsWith(`${key}.`));
  // From entries: a key `__proto__` reaches the manager, which refuses it.
  return Object.fromEntries(
    Object.entries(document).flatMap(([key, value]): [string, unknown][] =>
      isBranch(key) && isRecord(value)
        ? Object.entries(value).map(([leaf, inner]) => [`${key}.${leaf}`, inner])
        : [[key, value]],
    ),
  );
}

/** Whose settings, as the options say. */
const whoOf = (call: Call) => {
  const [config, server, environment, user] = ['of', 'server', 'environment', 'user'].map((name) => text(call, name));
  return {
    ...(config === undefined ? {} : { config }),
    ...(server === undefined ? {} : { server }),
    ...(environment === undefined ? {} : { environment }),
    ...(user === undefined ? {} : { user }),
    ...revealing(call),
  };
};

/** Keys of configs are known by their names; all others are of the manager itself, which need not run. */
export const explain = async (call: Call): Promise<number | void> => {
  const key = arg(call, 0);
  if (Object.hasOwn(settingKeys, key) || key.startsWith('params.')) return await explainLayers(call);
  return await (await import('./serve.ts')).explainSetting(call);
};

const explainLayers = withClient(async (client, call) => {
  const found = await client.settings.explain({ query: { key: arg(call, 0), ...whoOf(call) } });
  await call.out.thing(found, () =>
    [
      `${found.key} = ${shown(found.value)}   (${place(found)})`,
      ...(found.description === '' ? [] : [`  ${found.description}`]),
      ...found.layers.map((line) => `  ${line.wins ? '▶' : ' '} ${place(line)}: ${shown(line.value)} · ${line.why}`),
    ].join('\n'),
  );
});

const place = ({ layer, scope }: { readonly layer: string; readonly scope: string }): string =>
  scope === '' || scope === layer ? layer : scope.startsWith(`${layer}:`) ? scope : `${layer} ${scope}`;

export const effective = withClient(async (client, call) => {
  const { items } = await client.settings.effective({ query: whoOf(call) });
  await call.out.rows(items, [
    { title: 'KEY', value: ({ key }) => key },
    { title: 'VALUE', value: ({ value }) => shown(value) },
    { title: 'FROM', value: place },
  ]);
});

export const diffEnvironments = withClient(async (client, call) => {
  const [one, other] = [arg(call, 0), arg(call, 1)];
  const config = text(call, 'of');
  const of = async (environment: string) => {
    const query = { environment, ...(config === undefined ? {} : { config }) };
    return new Map((await client.settings.effective({ query })).items.map((item) => [item.key, item]));
  };
  const [left, right] = [await of(one), await of(other)];
  const rows = [...new Set([...left.keys(), ...right.keys()])].toSorted().flatMap((key) => {
    const [a, b] = [left.get(key), right.get(key)];
    return shown(a?.value) === shown(b?.value) ? [] : [{ key, [one]: a?.value ?? null, [other]: b?.value ?? null }];
  });
  const said = (value: unknown): string | null => (value === null ? null : shown(value));
  if (rows.length === 0) call.out.talk(`servers of ${one} and ${other} get the same`);
  await call.out.rows(rows, [
    { title: 'KEY', value: ({ key }) => key },
    { title: one.toUpperCase(), value: (row) => said(row[one]) },
    { title: other.toUpperCase(), value: (row) => said(row[other]) },
  ]);
});

export const history = withClient(async (client, call) => {
  const params = { scope: scopeOf(call) };
  const items = await everyPage((query) => client.settings.versions({ params, query }));
  await call.out.rows(items, [
    { title: 'VERSION', value: ({ version }) => version },
    { title: 'CHANGED', value: ({ changed }) => changed.join(', ') },
    { title: 'AUTHOR', value: ({ author }) => author },
    { title: 'WRITTEN', value: ({ created_at }) => created_at },
    { title: 'MESSAGE', value: ({ message }) => message },
  ]);
});

export const diff = withClient(async (client, call) => {
  const scope = scopeOf(call);
  const [typed, against] = [call.args[0], text(call, 'against')];
  const version =
    typed === undefined
      ? (await client.settings.get({ params: { scope } })).version
      : wholeNumber('the version', typed);
  const query = against === undefined ? {} : { against: wholeNumber('--against', against, { min: 0 }) };
  const found = await client.settings.diff({ params: { scope, version: String(version) }, query });
  await call.out.thing(found, () =>
    [
      `${scope}: version ${found.from} → ${found.to}`,
      ...found.changes.flatMap(({ key, before, after }) => [
        ...(before === null ? [] : [`- ${key} = ${shown(before)}`]),
        ...(after === null ? [] : [`+ ${key} = ${shown(after)}`]),
      ]),
    ].join('\n'),
  );
});

export const rollback = withClient(async (client, call) => {
  const body = { version: wholeNumber('the version', arg(call, 0)), ...reason(call) };
  await told(await client.settings.rollback({ params: { scope: scopeOf(call) }, body }), call);
});
