import { digestOf, ProblemError } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import {
  checkReferences,
  composeSingBox,
  defaultSkeleton,
  profileKey,
  type EngineTarget,
  type Finding,
  type Json,
  type LeftOut,
  type Rendered,
  type RenderWarning,
} from '@sbox/engines/sing-box/render';
import { runPipeline, type PipelineResult, type PipelineSource } from '@sbox/pipeline';
import {
  nodesFileName,
  type configSettingsSchema,
  type configWriteSchema,
  type writtenSettingsSchema,
  type NamedNode,
  type UnitFile,
} from '@sbox/protocol';
import type { JsonPatch, Pipeline, Template } from '@sbox/protocol/pipeline';
import type * as z from 'zod/mini';
import type { FrozenLayer } from '../settings/freeze.ts';
import type { SettingValues } from '../settings/layers.ts';

export type { LeftOut };
export type ConfigSettings = z.output<typeof configSettingsSchema>;
/** What a recipe says itself. */
export type WrittenSettings = z.output<typeof writtenSettingsSchema>;
export type ConfigTest = z.output<typeof configWriteSchema>['tests'][number];

export interface VersionRendition {
  readonly profile: string;
  /** Empty for what everybody gets whom no layer of settings is for. */
  readonly variant: string;
  /** The settings that make the variant. */
  readonly differs: SettingValues;
  readonly digest: string;
  readonly size: number;
  readonly outbounds: number;
  readonly left_out: readonly LeftOut[];
  readonly once: readonly string[];
  /** What it refers to by path, and what travels with it for the agent. */
  readonly files: readonly UnitFile[];
}

export interface SnapshotRef {
  readonly subscription_id: string;
  readonly version: number;
  readonly digest: string;
}

/** A rule-set as it was when the version was made. */
export interface RuleSetRef {
  readonly url: string;
  readonly digest: string;
  readonly size: number;
  readonly format: 'binary' | 'source';
}

/** All that a version is made from, frozen; its digest is the version's. What a config does without is not there. */
export interface VersionInputs {
  readonly engine: 'sing-box';
  readonly snapshots: readonly SnapshotRef[];
  /** As they are for nobody in particular. */
  readonly settings: ConfigSettings;
  readonly pipeline?: Pipeline;
  /** Names of the subscriptions at that time, in the order of `snapshots`; queries name them. */
  readonly sources?: readonly string[];
  /** What the hosts that the pipeline asked for resolved to. */
  readonly addresses?: Readonly<Record<string, readonly string[]>>;
  /** Where the skeleton is from; the skeleton itself decides. */
  readonly template?: { readonly name: string; readonly version: number | null };
  /** The template with its parameters and the patch; without it the one that `settings` give. */
  readonly skeleton?: Json;
  readonly rule_sets?: readonly RuleSetRef[];
  readonly tests?: readonly ConfigTest[];
  /** What some servers get instead: the scopes that could still change something, the weakest first. */
  readonly layers?: readonly FrozenLayer[];
  /** What the skeleton is made from, where a layer can change it; without a template that is `settings`. */
  readonly fill?: {
    readonly template?: Template;
    readonly params?: Readonly<Record<string, unknown>>;
    readonly patch: JsonPatch;
  };
}

export interface MadeRendition {
  readonly rendition: VersionRendition;
  readonly text: string;
  readonly config: Json;
  readonly findings: readonly Finding[];
  readonly warnings: readonly RenderWarning[];
  /** Content of files that only this rendition has, by digest. */
  readonly contents: ReadonlyMap<string, Uint8Array>;
}

export const inputsDigest = (inputs: VersionInputs): string => digestOf(Buffer.from(JSON.stringify(inputs)), sha256);

/** Everybody else waits meanwhile, so that it is less than elsewhere; 50,000 nodes and a dozen expressions took 1.5 s. */
export const maxPipelineMs = 5000;

/** What the operators of a version make of its nodes. @throws ProblemError `pipeline.invalid`, `pipeline.too-slow` */
export const runInputs = (
  sources: readonly PipelineSource[],
  { pipeline = [], addresses = {} }: VersionInputs,
  only?: string,
): PipelineResult =>
  runPipeline(sources, pipeline, {
    addresses: new Map(Object.entries(addresses)),
    maxMs: maxPipelineMs,
    // Nobody reads the trace of a rendition.
    ...(only === undefined ? { maxEffects: 0 } : { only }),
  });

/** What nodes and groups of a version are put into. */
export function skeletonOf({ skeleton, settings }: Pick<VersionInputs, 'skeleton' | 'settings'>): Json {
  const { inbounds, urltest, log_level } = settings;
  return skeleton ?? defaultSkeleton({ inbounds, urltest, log_level });
}

/** Where the engine finds a mirrored rule-set, below its folder of files. */
export const ruleSetFile = ({ digest, size, format }: RuleSetRef): UnitFile => ({
  path: `rule-sets/${digest.slice('sha256:'.length)}.${format === 'binary' ? 'srs' : 'json'}`,
  digest,
  size,
});

/** @throws ProblemError of `composeSingBox` */
export function compose(
  { nodes, groups }: Pick<PipelineResult, 'nodes' | 'groups'>,
  inputs: VersionInputs,
  target: EngineTarget,
): Rendered {
  const rule_sets = new Map((inputs.rule_sets ?? []).map((ref) => [ref.url, ruleSetFile(ref)]));
  const skeleton = skeletonOf(inputs);
  return composeSingBox({ skeleton, nodes: nodes.map(({ node }) => node), groups, rule_sets }, target);
}

/**
 * The exact text for one target, with what the reference check finds in it.
 * @throws ProblemError `config.no-nodes`, `config.group-empty`, `engine.too-old`, `engine.unsupported`, `template.*`
 */
export function makeRendition(
  { nodes: piped, groups }: Pick<PipelineResult, 'nodes' | 'groups'>,
  inputs: VersionInputs,
  target: EngineTarget,
): MadeRendition {
  const rendered = compose({ nodes: piped, groups }, inputs, target);
  const bytes = Buffer.from(rendered.text);
  const named = namedNodes(piped, rendered.nodes);
  const rendition = {
    profile: profileKey(target),
    variant: '',
    differs: {},
    digest: digestOf(bytes, sha256),
    size: bytes.length,
    outbounds: rendered.nodes.length,
    left_out: rendered.left_out,
    once: rendered.once,
    files: [...rendered.files, ...(named ? [named.file] : [])],
  };
  return {
    rendition,
    text: rendered.text,
    config: rendered.config,
    findings: checkReferences(rendered.config),
    warnings: [...rendered.warnings, ...strayFiles(rendered)],
    contents: new Map(named ? [[named.file.digest, named.content]] : []),
  };
}

/** Rule-sets in files of somebody's own machine: an agent takes only what comes with the version. */
function strayFiles({ config, files }: Rendered): RenderWarning[] {
  const known = new Set(files.map(({ path }) => path));
  const { rule_set } = (config['route'] ?? {}) as Json;
  const items: readonly unknown[] = Array.isArray(rule_set) ? rule_set : [];
  return items.flatMap((item, index): RenderWarning[] => {
    const { type, path } = (item ?? {}) as Json;
    if (type !== 'local' || known.has(String(path))) return [];
    const message = `agents refuse the file ${String(path)}: name the rule-set by its address, so that it travels along`;
    return [{ code: 'rule-set.stray-file', path: `route.rule_set[${index}].path`, message }];
  });
}

/** The list by which a choice follows its node to another name. */
function namedNodes(
  piped: PipelineResult['nodes'],
  rendered: readonly { readonly tag: string; readonly node_id: string }[],
): { file: UnitFile; content: Uint8Array } | undefined {
  if (rendered.length === 0) return undefined;
  const from = new Map(piped.map(({ node, subscription }) => [node.id, subscription]));
  const list = rendered.map(({ tag, node_id }): NamedNode => ({
    tag,
    node_id,
    subscription: from.get(node_id) ?? '',
  }));
  const content = Buffer.from(JSON.stringify(list));
  return { file: { path: nodesFileName, digest: digestOf(content, sha256), size: content.length }, content };
}

export function refuseFindings(findings: readonly Finding[]): void {
  const first = findings[0];
  if (first) throw new ProblemError('config.invalid', `${first.path}: ${first.message}`, { details: { findings } });
}
