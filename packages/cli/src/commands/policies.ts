import { ProblemError } from '@sbox/core';
import type { EngineTarget } from '@sbox/engines/sing-box/render';
import { countryPolicy, limitPolicy, protocolPolicy, type Policy, type PolicyFinding } from '@sbox/pipeline';
import { flag, text, texts, wholeNumber, type Call } from '../command.ts';
import { counted } from '../counted.ts';
import { readPolicies, switchPolicies, type PolicyList } from '../local/policies-file.ts';
import { findAnyTarget } from '../local/engine-target.ts';
import { prepare } from '../local/prepare.ts';
import { recipeOf } from '../local/recipe-options.ts';
import { placeOf, runPolicies } from '../local/run-policies.ts';
import { enableRemote, disableRemote, listRemote, testRemote } from './remote-policies.ts';
import { isRemote } from './remote.ts';

/** Who names a file means it, whoever else is known. */
const asksManager = async (call: Call): Promise<boolean> =>
  (text(call, 'list') === undefined || flag(call, 'remote')) && (await isRemote(call));

const listOf = async (call: Call): Promise<PolicyList> => await readPolicies(call.host, text(call, 'list'));

export const list = async (call: Call): Promise<void> => {
  if (await asksManager(call)) return void (await listRemote(call));
  const { policies } = await listOf(call);
  await call.out.rows(policies, [
    { title: 'NAME', value: ({ name }) => name },
    { title: 'ENABLED', value: ({ enabled }) => (enabled ? 'yes' : 'no') },
    { title: 'VERDICT', value: ({ verdict }) => verdict },
    { title: 'FROM', value: ({ built_in }) => (built_in ? 'sbox' : 'file') },
    { title: 'WHAT', value: ({ reason }) => reason },
  ]);
};

export const enable = async (call: Call): Promise<void> =>
  (await asksManager(call)) ? void (await enableRemote(call)) : await change(call, true);
export const disable = async (call: Call): Promise<void> =>
  (await asksManager(call)) ? void (await disableRemote(call)) : await change(call, false);

async function change(call: Call, isOn: boolean): Promise<void> {
  const known = await listOf(call);
  await switchPolicies(call.args, isOn, known);
  call.out.talk(`${call.args.join(', ')}: ${isOn ? 'on' : 'off'} (${known.file})`);
}

/** What the policies that are on find; a finding of one that denies fails the command. */
export const test = async (call: Call): Promise<number | void> => {
  if (text(call, 'config') !== undefined) return await testRemote(call);
  const { policies } = await listOf(call);
  const findings = await applied(call, [...chosen(policies, texts(call, 'policy')), ...given(call)]);
  await call.out.rows(findings, [
    { title: 'POLICY', value: ({ policy }) => policy },
    { title: 'VERDICT', value: ({ verdict }) => verdict },
    { title: 'WHERE', value: placeOf },
    { title: 'ID', value: ({ node }) => node?.id },
    { title: 'WHY', value: ({ reason }) => reason },
  ]);
  const denied = findings.filter(({ verdict }) => verdict === 'deny').length;
  call.out.talk(`${counted(findings.length, 'finding')}, ${denied} of them deny`);
  return denied > 0 ? 7 : 0;
};

/** How many nodes each policy finds, those that are off too; it never fails. */
export const audit = async (call: Call): Promise<void> => {
  const { policies } = await listOf(call);
  const every = policies.map((policy) => ({ ...policy, enabled: true }));
  const found = Map.groupBy(await applied(call, [...every, ...given(call)]), ({ policy }) => policy);
  const rows = [...policies, ...given(call)].map(({ name, verdict, enabled, reason }) => ({
    policy: name,
    verdict,
    enabled: enabled !== false,
    nodes: (found.get(name) ?? []).map(placeOf),
    reason,
  }));
  await call.out.rows(rows, [
    { title: 'POLICY', value: ({ policy }) => policy },
    { title: 'VERDICT', value: ({ verdict }) => verdict },
    { title: 'ENABLED', value: ({ enabled }) => (enabled ? 'yes' : 'no') },
    { title: 'FOUND', value: ({ nodes }) => nodes.length },
    { title: 'NODES', value: ({ nodes }) => nodes.slice(0, 3).join(', ') + (nodes.length > 3 ? ' …' : '') },
    { title: 'WHAT', value: ({ reason }) => reason },
  ]);
};

async function applied(call: Call, policies: readonly Policy[]): Promise<PolicyFinding[]> {
  const [from] = call.args;
  const options = from === undefined ? call.options : { ...call.options, from: [from, ...texts(call, 'from')] };
  const asked = { ...call, options };
  const recipe = await recipeOf(asked);
  const prepared = await prepare(recipe, asked, { withTrace: true });
  const isRendered = policies.some(({ expression, enabled }) => expression !== undefined && enabled !== false);
  const target = isRendered ? (await findAnyTarget(asked)).target : undefined;
  return runPolicies(policies, recipe, prepared, () => prepared.render(target as EngineTarget));
}

function chosen(policies: PolicyList['policies'], names: readonly string[]): readonly Policy[] {
  if (names.length === 0) return policies;
  return names.map((name) => {
    const policy = policies.find((one) => one.name === name);
    if (policy) return { ...policy, enabled: true };
    throw new ProblemError('command.usage', `there is no policy ${name}`, { fix: 'sboxmgr policy list' });
  });
}

/** Policies that need a value, from the options. */
function given(call: Call): Policy[] {
  const words = (name: string): string[] => (text(call, name) ?? '').split(',').filter(Boolean);
  const [countries, protocols, most] = [words('country'), words('protocol'), text(call, 'maxNodes')];
  return [
    ...(countries.length === 0 ? [] : [countryPolicy(countries)]),
    ...(protocols.length === 0 ? [] : [protocolPolicy(protocols)]),
    ...(most === undefined ? [] : [limitPolicy(wholeNumber('--max-nodes', most))]),
  ];
}
