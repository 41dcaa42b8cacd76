import { readyExpressions, readyPolicies } from '@sbox/pipeline';
import type { Policy } from '@sbox/protocol/pipeline';
import type { StoredPolicy } from './policies-repository.ts';

const comesWithSbox = new Map([...readyPolicies, ...readyExpressions].map((policy) => [policy.name, policy]));

/** By name. */
export const builtInPolicies: readonly Policy[] = [...comesWithSbox.values()].toSorted((a, b) =>
  a.name < b.name ? -1 : 1,
);

export const builtInPolicy = (name: string): Policy | undefined => comesWithSbox.get(name);

/** A policy as it is evaluated; undefined for one that came with an older sbox and does not come with this one. */
export function effectivePolicy({ name, built_in, verdict, reason, test, enabled }: StoredPolicy): Policy | undefined {
  const base = built_in ? builtInPolicy(name) : undefined;
  if (built_in && base === undefined) return undefined;
  const own = { ...test, reason: reason ?? '' };
  return { ...(base ?? own), name, verdict: verdict ?? base?.verdict ?? 'deny', enabled };
}
