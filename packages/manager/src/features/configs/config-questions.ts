import { ProblemError } from '@sbox/core';
import { capabilities, lineOf, wholeVersion, type EngineTarget, type Json } from '@sbox/engines/sing-box/render';
import {
  explainDestination,
  traceNode,
  upgradePreview,
  type DestinationExplanation,
  type NodeExplanation,
  type Question,
} from '@sbox/pipeline';
import type { Store } from '../../database/store.ts';
import { omit } from '../../omit.ts';
import { runTests, showResult } from './config-tests.ts';
import type { Config } from './configs-repository.ts';
import { find, findVersion } from './find-config.ts';
import type { LocalEngine } from './engine-check.ts';
import { loadSources } from './inputs.ts';
import { maxPipelineMs, type MadeRendition, type VersionInputs } from './rendering.ts';
import { loadRuleSets } from './rule-set-contents.ts';
import { fallbackTarget } from '../engines/engine-choice.ts';
import type { Versions } from './versions.ts';

export interface ConfigQuestionsDeps {
  readonly store: Store;
  readonly versions: Pick<Versions, 'inputsNow' | 'renderFor' | 'rendererOf' | 'check'>;
  readonly engine: LocalEngine | undefined;
}

export interface ExplainQuestion extends Omit<Question, 'destination'> {
  readonly node?: string | undefined;
  readonly destination?: string | undefined;
  readonly version?: number | string | undefined;
}

export type ConfigQuestions = ReturnType<typeof createConfigQuestions>;

/** Answers about configs; nothing is stored. */
export function createConfigQuestions({ store, versions, engine }: ConfigQuestionsDeps) {
  /** Of a version, by default the newest; without one, what it would be now. */
  const inputsOf = async (
    config: Config,
    wanted: number | string | undefined,
  ): Promise<{ inputs: VersionInputs; version: number | null }> => {
    if (wanted === undefined && config.version === null)
      return { inputs: await versions.inputsNow(config), version: null };
    const { inputs, version } = await findVersion(store, config, wanted ?? config.version ?? 0);
    return { inputs, version };
  };

  return {
    async explain(id: string, { node, destination, version: wanted, ...facts }: ExplainQuestion) {
      const { inputs, version } = await inputsOf(await find(store, id), wanted);
      const { made } = await versions.renderFor(inputs);
      return {
        version,
        node: node === undefined ? null : await explainNode(store, inputs, made, node),
        route: destination === undefined ? null : await explainRoute(store, inputs, made, { destination, ...facts }),
      };
    },
    async tests(id: string) {
      const inputs = await versions.inputsNow(await find(store, id));
      const { made } = await versions.renderFor(inputs);
      const results = runTests(inputs, made, await loadRuleSets(store, inputs));
      return { ok: results.every(({ ok }) => ok), results: results.map(showResult) };
    },
    async upgradePreview(id: string, { from, to }: { readonly from?: string | undefined; readonly to: string }) {
      const own = engine?.target ?? fallbackTarget;
      const target = (version: string): EngineTarget => ({ ...own, version: wholeVersion(version) });
      const inputs = await versions.inputsNow(await find(store, id));
      const { broken_tests, ...preview } = upgradePreview({
        from: from === undefined ? own : target(from),
        to: target(to),
        render: await versions.rendererOf(inputs),
        tests: inputs.tests,
        ruleSets: await loadRuleSets(store, inputs),
      });
      // Only an engine that is there can be asked, and only about its own line and what could be made.
      const canAsk = preview.problem === null && lineOf(to) === lineOf(own.version);
      const engine_check = canAsk ? await versions.check((await versions.renderFor(inputs, target(to))).made) : null;
      const ok = preview.ok && engine_check?.ok !== false;
      return { ...preview, broken_tests: broken_tests.map(showResult), engine_check, ok };
    },
    capabilities({ version, tags }: { readonly version?: string | undefined; readonly tags?: string | undefined }) {
      if (version === undefined) return { items: capabilities() };
      const own = engine?.target ?? fallbackTarget;
      const given = tags?.split(',').map((tag) => tag.trim());
      return { items: capabilities({ ...own, version: wholeVersion(version), tags: given ?? own.tags }) };
    },
  };
}

async function explainNode(
  store: Store,
  inputs: VersionInputs,
  { config, rendition }: MadeRendition,
  idOrName: string,
): Promise<Omit<NodeExplanation, 'is_partial'> & { left_out: { profile: string; code: string; reason: string }[] }> {
  const sources = await loadSources(store, inputs, { withLines: true });
  const addresses = new Map(Object.entries(inputs.addresses ?? {}));
  const found = traceNode(sources, inputs.pipeline ?? [], { addresses, maxMs: maxPipelineMs }, idOrName);
  if (!found) throw new ProblemError('node.not-found', `no subscription of this version has a node ${idOrName}`);
  const left_out = rendition.left_out
    .filter(({ node_id }) => node_id === found.node_id)
    .map(({ code, reason }) => ({ profile: rendition.profile, code, reason }));
  const groups = left_out.length > 0 || found.tag === undefined ? [] : groupsWith(config, found.tag);
  return { ...omit(found, 'is_partial'), groups, left_out };
}

/** Groups of the engine that have an outbound as a member, themselves or through another group. */
function groupsWith(config: Json, tag: string): string[] {
  const outbounds = (Array.isArray(config['outbounds']) ? config['outbounds'] : []) as readonly Json[];
  const inside = new Set([tag]);
  // Groups may stand in any order, so that as many rounds as there are levels are needed.
  for (let size = 0; size < inside.size;) {
    size = inside.size;
    for (const { tag: group, outbounds: members } of outbounds)
      if (Array.isArray(members) && members.some((member) => inside.has(String(member)))) inside.add(String(group));
  }
  inside.delete(tag);
  return [...inside];
}

async function explainRoute(
  store: Store,
  inputs: VersionInputs,
  { config, rendition }: MadeRendition,
  question: Question,
): Promise<Omit<DestinationExplanation, 'rule'>> {
  const ruleSets = await loadRuleSets(store, inputs);
  const version = rendition.profile.split(' ')[1];
  // The rule itself may name people; its words do not.
  return omit(explainDestination(config, question, { ruleSets, ...(version && { version }) }), 'rule');
}
