import { ProblemError } from '@sbox/core';
import {
  behaviourChanges,
  checkReferences,
  deprecationsIn,
  diffConfigs,
  type BehaviourChange,
  type ConfigDiff,
  type Deprecation,
  type DiffOptions,
  type EngineTarget,
  type Finding,
  type LeftOut,
  type Rendered,
  type RenderWarning,
  type RuleSetContents,
} from '@sbox/engines/sing-box/render';
import type { ConfigTest } from '@sbox/protocol/pipeline';
import { runConfigTests, type ConfigTestResult } from './config-tests.ts';

export interface UpgradeQuestion {
  readonly from: EngineTarget;
  readonly to: EngineTarget;
  /** Renders the same inputs for a target; it may throw a ProblemError. */
  readonly render: (target: EngineTarget) => Rendered;
  /** What the engine of `to` says about the new rendition; null where no such engine is at hand. */
  readonly check?: ((rendered: Rendered) => { readonly ok: boolean; readonly message: string } | null) | undefined;
  readonly tests?: readonly ConfigTest[] | undefined;
  readonly ruleSets?: RuleSetContents | undefined;
  readonly describeNode?: DiffOptions['describeNode'];
}

export interface UpgradePreview {
  readonly from: string;
  readonly to: string;
  /** False when it could not be rendered, would not start, or breaks a test. */
  readonly ok: boolean;
  /** Why it could not be rendered. */
  readonly problem: { readonly code: string; readonly detail: string } | null;
  readonly changes: ConfigDiff | null;
  /** Nodes that only one of the two can run. */
  readonly lost: readonly LeftOut[];
  readonly gained: readonly LeftOut[];
  readonly warnings: readonly RenderWarning[];
  /** What the new version warns about or refuses, by its name. */
  readonly deprecations: readonly Deprecation[];
  /** What it would say against the old rendition, and rendering writes in the new way. */
  readonly rewritten: readonly Deprecation[];
  /** What is taken as before and does something else. */
  readonly behaviour: readonly BehaviourChange[];
  readonly findings: readonly Finding[];
  readonly broken_tests: readonly ConfigTestResult[];
  readonly engine_check: { readonly ok: boolean; readonly message: string } | null;
}

const nothing = {
  changes: null,
  lost: [],
  gained: [],
  warnings: [],
  deprecations: [],
  rewritten: [],
  behaviour: [],
  findings: [],
  broken_tests: [],
  engine_check: null,
} as const;

/**
 * Says what another version of the engine would change in a config, and what of it would break.
 * @throws ProblemError whatever `render` throws for `from`: that is not about the upgrade
 */
export function upgradePreview(question: UpgradeQuestion): UpgradePreview {
  const { from, to, render } = question;
  const versions = { from: from.version, to: to.version };
  const before = render(from);
  const after = attempt(() => render(to));
  if (after instanceof ProblemError) {
    return { ...nothing, ...versions, ok: false, problem: { code: after.code, detail: after.message } };
  }
  const found = compare(question, before, after);
  const fails = found.deprecations.some(({ effect }) => effect === 'fails');
  const isBroken =
    fails || found.findings.length > 0 || found.broken_tests.length > 0 || found.engine_check?.ok === false;
  return { ...versions, ok: !isBroken, problem: null, ...found };
}

function compare(
  { from, to, check, tests = [], ruleSets, describeNode }: UpgradeQuestion,
  before: Rendered,
  after: Rendered,
) {
  const deprecations = deprecationsIn(after.config, to.version);
  const remaining = new Set(deprecations.map(({ name }) => name));
  const ids = { before: idsOf(before), after: idsOf(after) };
  return {
    changes: diffConfigs(before.config, after.config, { ids, ...(describeNode && { describeNode }) }),
    lost: onlyIn(after.left_out, before.left_out),
    gained: onlyIn(before.left_out, after.left_out),
    warnings: after.warnings,
    deprecations,
    rewritten: deprecationsIn(before.config, to.version).filter(({ name }) => !remaining.has(name)),
    behaviour: behaviourChanges(after.config, from.version, to.version),
    findings: checkReferences(after.config),
    broken_tests: brokenTests({ from, to, tests, ruleSets }, before, after),
    engine_check: check?.(after) ?? null,
  };
}

/** Tests that hold before and not after. */
function brokenTests(
  { from, to, tests, ruleSets }: Pick<UpgradeQuestion, 'from' | 'to' | 'ruleSets'> & { tests: readonly ConfigTest[] },
  before: Rendered,
  after: Rendered,
): ConfigTestResult[] {
  const failed = new Set(
    runConfigTests(before.config, tests, ruleSets, { version: from.version }).flatMap(({ ok, name }) =>
      ok ? [] : [name],
    ),
  );
  return runConfigTests(after.config, tests, ruleSets, { version: to.version }).filter(
    ({ ok, name }) => !ok && !failed.has(name),
  );
}

const idsOf = ({ nodes }: Rendered): Map<string, string> => new Map(nodes.map(({ tag, node_id }) => [tag, node_id]));

function onlyIn(these: readonly LeftOut[], those: readonly LeftOut[]): LeftOut[] {
  const others = new Set(those.map(({ node_id }) => node_id));
  return these.filter(({ node_id }) => !others.has(node_id));
}

function attempt<T>(make: () => T): T | ProblemError {
  try {
    return make();
  } catch (error) {
    if (error instanceof ProblemError) return error;
    throw error;
  }
}
