import { ProblemError } from '@sbox/core';
import { policySchema, readyExpressions, readyPolicies, type Policy } from '@sbox/pipeline';
import type { Host } from '../command.ts';
import { readWithSchema } from './read-with-schema.ts';
import { pathOf, readState, writeState } from './state-file.ts';

const stateFile = { variable: 'SBOXMGR_POLICY_FILE', name: 'sbox-policies.json' };

/** What is right about a whole config depends on where it runs: these are off until somebody wants them. */
const wanted = readyExpressions.map((policy) => ({ ...policy, enabled: false }));

export interface PolicyList {
  readonly file: string;
  /** Those that come with sbox, then the user's own; `enabled` is what the file says. */
  readonly policies: readonly (Policy & { readonly enabled: boolean; readonly built_in: boolean })[];
}

/** @throws ProblemError `file.unreadable` for a file that cannot be read, with the field */
export async function readPolicies(host: Host, named?: string): Promise<PolicyList> {
  const file = await pathOf(stateFile, host, named);
  const { disabled = [], enabled = [], policies = [] } = await readState(file);
  if (![disabled, enabled, policies].every(Array.isArray))
    throw new ProblemError('file.unreadable', `${file}: disabled, enabled and policies are lists`);
  const own = (policies as unknown[]).map((policy, index) =>
    readWithSchema(policySchema, policy, { at: `policies[${index}]`, code: 'file.unreadable' }),
  );
  const [off, on] = [new Set(disabled as unknown[]), new Set(enabled as unknown[])];
  const names = new Set(own.map(({ name }) => name));
  const all = [
    ...[...readyPolicies, ...wanted]
      .filter(({ name }) => !names.has(name))
      .map((policy) => ({ ...policy, built_in: true })),
    ...own.map((policy) => ({ ...policy, built_in: false })),
  ];
  const isOn = (policy: Policy): boolean => on.has(policy.name) || (policy.enabled !== false && !off.has(policy.name));
  return { file, policies: all.map((policy) => ({ ...policy, enabled: isOn(policy) })) };
}

/** @throws ProblemError `command.usage` for a name that is not known */
export async function switchPolicies(
  names: readonly string[],
  isOn: boolean,
  { file, policies }: PolicyList,
): Promise<void> {
  const strange = names.find((name) => !policies.some((policy) => policy.name === name));
  if (strange !== undefined)
    throw new ProblemError('command.usage', `there is no policy ${strange}`, {
      fix: `One of ${policies.map(({ name }) => name).join(', ')}`,
    });
  const state = await readState(file);
  const list = (key: string): string[] => (Array.isArray(state[key]) ? (state[key] as string[]) : []);
  const without = (key: string): string[] => list(key).filter((name) => !names.includes(name));
  const [enabled, disabled] = [without('enabled'), without('disabled')];
  await writeState(file, {
    version: 1,
    ...state,
    enabled: isOn ? [...enabled, ...names] : enabled,
    disabled: isOn ? disabled : [...disabled, ...names],
  });
}
