import { digestOf, ProblemError } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import {
  checkReferences,
  profileKey,
  renderSingBox,
  type EngineTarget,
  type Finding,
  type LeftOut,
} from '@sbox/engines/sing-box/render';
import { uniqueTags, type Node } from '@sbox/formats';
import type { configSettingsSchema } from '@sbox/protocol';
import type * as z from 'zod/mini';

export type { LeftOut };
export type ConfigSettings = z.output<typeof configSettingsSchema>;

export interface VersionRendition {
  readonly profile: string;
  readonly digest: string;
  readonly size: number;
  readonly outbounds: number;
  readonly left_out: readonly LeftOut[];
  readonly once: readonly string[];
}

export interface SnapshotRef {
  readonly subscription_id: string;
  readonly version: number;
  readonly digest: string;
}

/** All that a version is made from, frozen; its digest is the version's. */
export interface VersionInputs {
  readonly engine: 'sing-box';
  readonly snapshots: readonly SnapshotRef[];
  readonly settings: ConfigSettings;
}

export interface MadeRendition {
  readonly rendition: VersionRendition;
  readonly text: string;
  readonly findings: readonly Finding[];
}

export const inputsDigest = (inputs: VersionInputs): string => digestOf(Buffer.from(JSON.stringify(inputs)), sha256);

/** The pipeline: nodes in the order of the subscriptions, the same node once, every name once. */
export function pipeline(lists: readonly (readonly Node[])[]): Node[] {
  const byId = new Map<string, Node>();
  for (const node of lists.flat()) if (!byId.has(node.id)) byId.set(node.id, node);
  return uniqueTags([...byId.values()]);
}

/**
 * The exact text for one target, with what the reference check finds in it.
 * @throws ProblemError `config.no-nodes`, `engine.too-old`, `engine.unsupported`, `settings.invalid`
 */
export function makeRendition(
  nodes: readonly Node[],
  { settings }: VersionInputs,
  target: EngineTarget,
): MadeRendition {
  const { inbounds, urltest, log_level } = settings;
  const { config, text, left_out, once } = renderSingBox(nodes, target, { inbounds, urltest, log_level });
  const bytes = Buffer.from(text);
  const rendition = {
    profile: profileKey(target),
    digest: digestOf(bytes, sha256),
    size: bytes.length,
    outbounds: nodes.length - left_out.length,
    left_out,
    once,
  };
  return { rendition, text, findings: checkReferences(config) };
}

export function refuseFindings(findings: readonly Finding[]): void {
  const first = findings[0];
  if (first) throw new ProblemError('config.invalid', `${first.path}: ${first.message}`, { details: { findings } });
}
