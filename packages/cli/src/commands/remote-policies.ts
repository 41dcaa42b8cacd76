import path from 'node:path';
import { ProblemError } from '@sbox/core';
import type { RouteInput } from '@sbox/protocol';
import type { operatorContract } from '@sbox/protocol';
import { arg, flag, text, texts, wholeNumber, type Call } from '../command.ts';
import type { OperatorClient } from '../connection.ts';
import { counted } from '../counted.ts';
import { placeOf } from '../local/run-policies.ts';
import { readText } from '../read-file.ts';
import { everyPage, withClient } from './remote.ts';
import { readVersionName } from './version-name.ts';

type Policy = Awaited<ReturnType<OperatorClient['policies']['get']>>;
type PolicyChange = NonNullable<RouteInput<typeof operatorContract.policies.update>['body']>;
type PolicyWrite = RouteInput<typeof operatorContract.policies.create>['body'];

export const listRemote = withClient(async (client, { out }) => {
  const items = await everyPage((query) => client.policies.list({ query }));
  await out.rows(items, [
    { title: 'NAME', value: ({ name }) => name },
    { title: 'ENABLED', value: ({ enabled }) => (enabled ? 'yes' : 'no') },
    { title: 'VERDICT', value: ({ verdict }) => verdict },
    { title: 'CONFIGS', value: ({ configs }) => configs?.map(({ name }) => name).join(', ') ?? 'all' },
    { title: 'FROM', value: ({ built_in }) => (built_in ? 'sbox' : 'people') },
    { title: 'WHAT', value: ({ reason }) => reason },
  ]);
});

export const show = withClient(async (client, call) => {
  await call.out.thing(await client.policies.get({ params: { name: arg(call, 0) } }));
});

/** The parts of a policy from a file, with what the options say over them. */
async function partsOf(call: Call): Promise<PolicyChange> {
  const file = text(call, 'file');
  const base =
    file === undefined
      ? {}
      : ((await import('../yaml-text.ts')).parse(await readText(path.resolve(call.host.cwd, file))) as object | null);
  if (typeof base !== 'object' || Array.isArray(base))
    throw new ProblemError('command.usage', `${file} holds no policy`, {
      fix: 'A file with name, reason and expression',
    });
  const verdict = text(call, 'verdict');
  if (verdict !== undefined && verdict !== 'deny' && verdict !== 'warn')
    throw new ProblemError('command.usage', `--verdict is "${verdict}"`, {
      fix: '--verdict deny   or   --verdict warn',
    });
  const [expression, reason, description] = [text(call, 'expression'), text(call, 'reason'), text(call, 'description')];
  const configs = flag(call, 'allConfigs')
    ? null
    : texts(call, 'config').length > 0
      ? [...texts(call, 'config')]
      : undefined;
  const given = { verdict, expression, reason, description, configs };
  const { name: _, ...parts } = { name: '', ...base };
  return { ...parts, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) };
}

export const create = withClient(async (client, call) => {
  const parts = await partsOf(call);
  if (parts.expression === undefined && parts.query === undefined)
    throw new ProblemError('command.usage', 'a policy needs an expression, or a file with a query', {
      fix: "sboxmgr policy create NAME --reason 'too few nodes' --expression 'size(nodes) >= 3'",
    });
  const enabled = call.options['disabled'] !== true;
  const body = { reason: '', enabled, ...parts, name: arg(call, 0) } as PolicyWrite;
  const made = await client.policies.create({ body });
  await call.out.thing(made, () => `${made.name}: ${made.enabled ? 'on' : 'off'}, ${made.verdict}`);
});

async function write(client: OperatorClient, name: string, body: PolicyChange): Promise<Policy> {
  const known = await client.policies.get({ params: { name } });
  const headers = { 'if-match': `"${known.revision}"` };
  return await client.policies.update({ params: { name }, headers, body });
}

export const edit = withClient(async (client, call) => {
  const parts = await partsOf(call);
  if (Object.keys(parts).length === 0)
    throw new ProblemError('command.usage', 'nothing to change was named', { fix: 'sboxmgr policy edit --help' });
  const changed = await write(client, arg(call, 0), parts);
  await call.out.thing(changed, () => `${changed.name} was changed: it is heard for the versions to come`);
});

const switchTo = (enabled: boolean) =>
  withClient(async (client, call) => {
    for (const name of call.args) {
      await write(client, name, { enabled });
      call.out.talk(`${name}: ${enabled ? 'on' : 'off'}`);
    }
  });
export const enableRemote = switchTo(true);
export const disableRemote = switchTo(false);

export const remove = withClient(async (client, call) => {
  const { name, revision } = await client.policies.get({ params: { name: arg(call, 0) } });
  await client.policies.remove({ params: { name }, headers: { 'if-match': `"${revision}"` } });
  call.out.talk(`${name} was deleted`);
});

/** The test of a policy by its name, or an expression, over a config of the manager. */
export const testRemote = withClient(async (client, call) => {
  const { config, version } = readVersionName(text(call, 'config') ?? '');
  const results = [];
  for (const { name, ...test } of await testsOf(client, call)) {
    const body = { config, ...(version === undefined ? {} : { version }), ...test };
    const { findings, ...found } = await client.policies.test({ body });
    results.push({ ...found, findings: findings.map((finding) => ({ ...finding, policy: name })) });
  }
  const findings = results.flatMap((result) => result.findings);
  await call.out.rows(findings, [
    { title: 'POLICY', value: ({ policy }) => policy },
    { title: 'VERDICT', value: ({ verdict }) => verdict },
    { title: 'WHERE', value: (finding) => placeOf(finding as Parameters<typeof placeOf>[0]) },
  ]);
  const [first] = results;
  const what = typeof first?.version === 'number' ? `version ${first.version}` : 'what would be made now';
  call.out.talk(`${counted(findings.length, 'finding')} in ${what}`);
  return findings.some(({ verdict }) => verdict === 'deny') ? 7 : 0;
});

type PolicyTest = Omit<RouteInput<typeof operatorContract.policies.test>['body'], 'config' | 'version'> & {
  readonly name: string;
};

async function testsOf(client: OperatorClient, call: Call): Promise<PolicyTest[]> {
  const expression = text(call, 'expression');
  const most = text(call, 'maxNodes');
  const named = texts(call, 'policy');
  const own: PolicyTest[] = [
    ...(expression === undefined ? [] : [{ name: 'expression', expression }]),
    ...(most === undefined ? [] : [{ name: 'limit', query: {}, at_most: wholeNumber('--max-nodes', most) }]),
  ];
  const known = own.length > 0 && named.length === 0 ? [] : await everyPage((query) => client.policies.list({ query }));
  const strange = named.find((name) => !known.some((policy) => policy.name === name));
  if (strange !== undefined)
    throw new ProblemError('policy.not-found', `policy ${strange}`, { fix: 'sboxmgr policy list' });
  const chosen = known.filter(({ name, enabled }) => (named.length === 0 ? enabled : named.includes(name)));
  return [
    ...chosen.map(({ name, verdict, query, at_most, at_least, expression: said }) => ({
      name,
      verdict,
      ...(query && { query }),
      ...(at_most !== undefined && { at_most }),
      ...(at_least !== undefined && { at_least }),
      ...(said !== undefined && { expression: said }),
    })),
    ...own,
  ] as PolicyTest[];
}
