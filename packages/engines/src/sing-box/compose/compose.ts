import { ProblemError } from '@sbox/core';
import type { Node } from '@sbox/formats';
import { groupTags, placeGroups, type PlacedGroups } from './compose-groups.ts';
import { lowerDialect } from '../dialects/dialects.ts';
import { asRecord, isDomain, isRecord, recordsIn, textsIn, type Json } from '../document.ts';
import type { Group, LeftOut, NodePart, Rendered, RenderWarning } from '../parts.ts';
import { profileOf, type EngineTarget, type Profile } from '../profile.ts';
import { localiseRuleSets, type RuleSetFile } from './remote-rule-sets.ts';
import { writeNodes } from '../nodes/write-nodes.ts';

export interface Composition {
  /**
   * A sing-box document in the dialect of the newest line that is known (1.14), with places for what changes: among the
   * items of `outbounds` the objects `{"$nodes": true}` and `{"$groups": true}`, among the members of a group the texts
   * `"$nodes"` and `"$groups"`. A group may say with `"$empty"` what stands in it when no member is left.
   */
  readonly skeleton: Json;
  readonly nodes: readonly Node[];
  readonly groups?: readonly Group[];
  /** Copies of remote rule-sets by their URL: those become local files of the rendition. */
  readonly rule_sets?: ReadonlyMap<string, RuleSetFile>;
}

/** The slots of a skeleton: for all nodes, and for all groups. */
const slots = { nodes: '$nodes', groups: '$groups' } as const;

const isSlot = (item: unknown, slot: string): boolean => isRecord(item) && item[slot] === true;

/**
 * Puts nodes and groups into a skeleton and writes it in the dialect of the target. Tags of the skeleton stay as they
 * are, groups and nodes give way. What the engine cannot do is named in the result or refused, never dropped unsaid.
 * @throws ProblemError `engine.too-old`, `engine.unsupported`, `template.invalid` (a slot twice, or missing where a group
 * uses it), `template.unsupported` (no way to say it in the target's dialect), `config.no-nodes`, `config.group-empty`
 */
export function composeSingBox(composition: Composition, target: EngineTarget): Rendered {
  const { skeleton, nodes, groups = [], rule_sets = new Map() } = composition;
  const profile = profileOf(target);
  const localised = localiseRuleSets(structuredClone(skeleton), rule_sets, profile.minor);
  const lowered = lowerDialect(localised.config, profile);
  const items: readonly unknown[] = Array.isArray(lowered.config['outbounds']) ? lowered.config['outbounds'] : [];
  const own = [...items, ...recordsIn(lowered.config['endpoints'])].filter(isRecord).flatMap(tagsOf);
  const hasNodes = hasSlot(items, slots.nodes, nodes.length > 0);
  const hasGroups = hasSlot(items, slots.groups, groups.length > 0);

  const tags = groupTags(groups, own);
  const taken = new Set([...own, ...tags]);
  const { parts, left_out } = hasNodes ? writeNodes(nodes, target, { taken }) : { parts: [], left_out: [] };
  const noNodes = (): ProblemError => noNodesError(nodes.length, left_out, target);
  if (hasNodes && nodes.length > 0 && parts.length === 0) throw noNodes();
  const placed = placeGroups({ items, parts, own, tags, groups: hasGroups ? groups : [] }, noNodes);

  const { outbounds: _, ...rest } = lowered.config;
  const outbounds = outboundsOf(items, parts, placed);
  const isNamed = 'outbounds' in lowered.config && (outbounds.length > 0 || items.length === 0);
  const config = inOrder({ ...rest, ...endpointsOf(rest, parts), ...(isNamed ? { outbounds } : {}) });
  return {
    config,
    text: `${JSON.stringify(config, null, 2)}\n`,
    left_out,
    warnings: [
      ...localised.warnings,
      ...lowered.warnings,
      ...placed.warnings,
      ...namedPeers(config, profile),
      ...(hasNodes || nodes.length === 0 ? [] : [noSlot(slots.nodes, 'nodes')]),
      ...(hasGroups || groups.length === 0 ? [] : [noSlot(slots.groups, 'groups')]),
    ],
    files: localised.files,
    once: parts.filter(({ is_once }) => is_once).map(({ tag }) => tag),
    nodes: parts.map(({ tag, node_id }) => ({ tag, node_id })),
  };
}

const tagsOf = ({ tag }: Json): string[] => (typeof tag === 'string' && tag !== '' ? [tag] : []);

/** @throws ProblemError `template.invalid` */
function hasSlot(items: readonly unknown[], slot: string, isNeeded: boolean): boolean {
  const count = items.filter((item) => isSlot(item, slot)).length;
  if (count > 1) invalid(`outbounds has {"${slot}": true} more than once`);
  const user = items.findIndex((item) => isRecord(item) && textsIn(item['outbounds']).includes(slot));
  if (count === 0 && user >= 0 && isNeeded)
    invalid(`outbounds[${user}] uses "${slot}", and outbounds has no {"${slot}": true}`);
  return count === 1;
}

function invalid(detail: string): never {
  throw new ProblemError('template.invalid', detail, { details: { path: 'outbounds' } });
}

function noNodesError(given: number, left_out: readonly LeftOut[], { version }: EngineTarget): ProblemError {
  const detail = given === 0 ? 'there are no nodes' : `sing-box ${version} can run none of ${given} nodes`;
  return new ProblemError('config.no-nodes', detail, { details: { left_out: left_out.slice(0, 10) } });
}

const noSlot = (slot: string, what: string): RenderWarning => ({
  code: 'template.no-slot',
  path: 'outbounds',
  message: `the ${what} have no place in this template: its outbounds have no {"${slot}": true}`,
});

/** Before 1.14 the engine ends when it cannot find the address of a tunnel's peer: check passes, the start does not. */
function namedPeers(config: Json, { minor }: Profile): RenderWarning[] {
  if (minor >= 14) return [];
  return recordsIn(config['endpoints']).flatMap(({ type, tag, peers }, index) => {
    const peer = recordsIn(peers).findIndex(({ address }) => isDomain(address));
    if (type !== 'wireguard' || peer < 0) return [];
    const message =
      `sing-box 1.${minor} does not start when the name of the peer of "${String(tag)}" is not found; ` +
      'put its address there with the operator resolve, or upgrade the engine to 1.14';
    return [{ code: 'wireguard.named-peer', path: `endpoints[${index}].peers[${peer}].address`, message }];
  });
}

function endpointsOf(config: Json, parts: readonly NodePart[]): Json {
  const endpoints = parts.flatMap((part) => part.endpoints);
  if (endpoints.length === 0) return {};
  const own: unknown[] = Array.isArray(config['endpoints']) ? config['endpoints'] : [];
  return { endpoints: [...own, ...endpoints] };
}

function outboundsOf(items: readonly unknown[], parts: readonly NodePart[], placed: PlacedGroups): unknown[] {
  const outbounds = items.flatMap((item): readonly unknown[] => {
    if (isSlot(item, slots.nodes)) return parts.flatMap((part) => part.outbounds);
    if (isSlot(item, slots.groups)) return placed.groups;
    const group = isRecord(item) ? placed.own.get(item) : undefined;
    return group ?? [item];
  });
  return [...outbounds, ...placed.builtins];
}

/** The order in which sing-box itself writes a document; keys that it does not know come last. */
const keyOrder =
  '$schema log dns ntp certificate certificate_providers http_clients network_namespaces endpoints inbounds outbounds route services experimental'.split(
    ' ',
  );

const inOrder = (config: Json): Json => ({
  ...Object.fromEntries(keyOrder.filter((key) => key in config).map((key) => [key, config[key]])),
  ...config,
});

/** True when the document is a skeleton that takes nodes. */
export const takesNodes = (skeleton: unknown): boolean =>
  recordsIn(asRecord(skeleton)['outbounds']).some((item) => isSlot(item, slots.nodes));
