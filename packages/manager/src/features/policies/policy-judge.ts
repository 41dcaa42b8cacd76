import { ProblemError } from '@sbox/core';
import { applyPolicies, blamed, expressionNodes, type PolicyFinding, type PipelineResult } from '@sbox/pipeline';
import { joinBlames } from '@sbox/pipeline/expressions';
import type { Policy } from '@sbox/protocol/pipeline';
import type { Store } from '../../database/store.ts';
import type { MadeRendition, VersionInputs } from '../configs/rendering.ts';
import { showUrl } from '../rule-sets/rule-sets-service.ts';
import { effectivePolicy } from './effective-policy.ts';
import type { PolicyEvaluator, PolicyOutcome } from './policy-evaluator.ts';

/** What policies are asked about. */
export interface Judged {
  readonly inputs: VersionInputs;
  readonly piped: PipelineResult['nodes'];
  readonly made: readonly Pick<MadeRendition, 'text' | 'rendition'>[];
}

export interface PolicyJudge {
  /** What the policies that are on for this config find. */
  judge(config: { readonly id: string; readonly name: string }, made: Judged): Promise<PolicyFinding[]>;
  /** Whether any policy is on for this config. */
  hears(configId: string): Promise<boolean>;
  /** What this policy finds. */
  try(config: { readonly name: string }, made: Judged, policies: readonly Policy[]): Promise<PolicyFinding[]>;
}

/** Of one policy; the rest is counted. */
const maxFindings = 100;

export function createPolicyJudge({
  store,
  evaluate,
}: {
  readonly store: Pick<Store, 'policies' | 'subscriptions'>;
  readonly evaluate: PolicyEvaluator;
}): PolicyJudge {
  const run: PolicyJudge['try'] = async ({ name }, { inputs, piped, made }, policies) => {
    const expressions = policies.flatMap(({ expression }) => expression ?? []);
    const outcomes =
      expressions.length === 0
        ? []
        : await evaluateAll(
            evaluate,
            expressions,
            [...new Set(made.map(({ text }) => text))],
            JSON.stringify({
              nodes: expressionNodes(piped),
              settings: inputs.settings,
              version: await factsOf(store, name, inputs, made),
            }),
          );
    const said = outcomes.values();
    return policies.flatMap((policy) => {
      const found =
        policy.expression === undefined ? byQuery(policy, piped) : byOutcome(policy, said.next().value ?? nothing);
      return atMost(found);
    });
  };
  const heardFor = async (id: string): Promise<Policy[]> =>
    (await store.policies.enabled())
      .filter(({ configs }) => configs === null || configs.includes(id))
      .flatMap((stored) => effectivePolicy(stored) ?? []);
  return {
    try: run,
    hears: async (id) => (await heardFor(id)).length > 0,
    async judge(config, made) {
      const policies = await heardFor(config.id);
      return policies.length === 0 ? [] : await run(config, made, policies);
    },
  };
}

/** A config of which every server gets another rendition is looked at in parts that fit into a thread. */
async function evaluateAll(
  evaluate: PolicyEvaluator,
  expressions: readonly string[],
  documents: readonly string[],
  facts: string,
): Promise<PolicyOutcome[]> {
  let joined: PolicyOutcome[] | undefined;
  for (const part of partsOf(documents)) {
    const outcomes = await evaluate({ expressions, documents: part, facts });
    joined = joined?.map((before, index) => worse(before, outcomes[index] ?? nothing)) ?? outcomes;
  }
  return joined ?? [];
}

const partLength = 16 * 1024 * 1024;

function partsOf(documents: readonly string[]): string[][] {
  const parts: string[][] = [];
  let length = Infinity;
  for (const text of documents) {
    if (length + text.length > partLength) {
      parts.push([]);
      length = 0;
    }
    parts.at(-1)?.push(text);
    length += text.length;
  }
  return parts;
}

const worse = (a: PolicyOutcome, b: PolicyOutcome): PolicyOutcome => {
  if ('problem' in a) return a;
  if ('problem' in b) return b;
  return { blame: joinBlames([a.blame, b.blame].flatMap((blame) => blame ?? [])) };
};

const nothing: PolicyOutcome = { problem: { code: 'policy.failed', detail: 'it was not evaluated' } };

function byOutcome(policy: Policy, outcome: PolicyOutcome): PolicyFinding[] {
  if ('blame' in outcome) return blamed(policy, outcome.blame);
  const { name, verdict, reason } = policy;
  return [{ policy: name, verdict, reason, problem: outcome.problem }];
}

/** A query that cannot be used any more, because a newer sbox reads it in another way, denies as one that fails. */
function byQuery(policy: Policy, piped: PipelineResult['nodes']): PolicyFinding[] {
  try {
    return applyPolicies(piped, [policy]);
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    return byOutcome(policy, { problem: { code: 'policy.failed', detail: error.message } });
  }
}

function atMost(found: PolicyFinding[]): PolicyFinding[] {
  const [first] = found;
  if (found.length <= maxFindings || first === undefined) return found;
  const { policy, verdict, reason } = first;
  const named = found.slice(0, maxFindings - 1);
  return [...named, { policy, verdict, reason, count: found.length - named.length }];
}

async function factsOf(
  { subscriptions }: Pick<Store, 'subscriptions'>,
  config: string,
  { sources, snapshots, template, rule_sets = [] }: VersionInputs,
  made: Judged['made'],
) {
  const ids = snapshots.map(({ subscription_id }) => subscription_id);
  const names = sources ?? (await subscriptions.findMany(ids)).map(({ name }) => name);
  return {
    config,
    template: template?.name ?? 'mixed',
    subscriptions: names,
    rule_sets: rule_sets.map(({ url }) => showUrl(url)),
    engine: made[0]?.rendition.profile ?? '',
  };
}

/** @param fix what to do about it here @throws ProblemError `config.policy-violated`, `config.policy-failed` */
export function refuseDenied(findings: readonly PolicyFinding[], fix?: string): void {
  const denied = findings.filter(({ verdict }) => verdict === 'deny');
  const [first] = denied;
  if (first === undefined) return;
  const violated = denied.find(({ problem }) => problem === undefined);
  const others = denied.length > 1 ? ` (and ${denied.length - 1} more)` : '';
  throw new ProblemError(
    violated ? 'config.policy-violated' : 'config.policy-failed',
    `${inWords(violated ?? first)}${others}`,
    { details: { findings: denied.slice(0, 100) }, ...(fix === undefined ? {} : { fix }) },
  );
}

/** `open-inbound: it listens on all addresses: inbounds[1] (wide)`. */
function inWords({ policy, reason, node, path, tag, count, problem }: PolicyFinding): string {
  if (problem) return `${policy} could not be evaluated: ${problem.detail}`;
  if (node) return `${policy}: ${reason}: ${node.tag} of ${node.subscription}`;
  if (path !== undefined) return `${policy}: ${reason}: ${path}${tag === undefined ? '' : ` (${tag})`}`;
  return `${policy}: ${reason}${count === undefined ? '' : `: ${count}`}`;
}
