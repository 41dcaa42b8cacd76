import { ProblemError } from '@sbox/core';

/** What a rendition is made for. `tags` are the build tags that `sing-box version` prints. */
export interface EngineTarget {
  readonly engine: 'sing-box';
  /** E.g. `1.14.4`; what follows the patch number does not matter. */
  readonly version: string;
  readonly tags: readonly string[];
}

/** The oldest line that knows typed DNS servers and `default_domain_resolver`. */
const oldestMinor = 12;
/** The newest line whose differences are known here; later ones are written like it. */
const newestMinor = 14;

/** Build tags that decide whether a node can run. gRPC has a built-in form and needs none. */
const nodeTags = ['with_quic', 'with_utls', 'with_wireguard', 'with_gvisor', 'with_naive_outbound'] as const;

export type NodeTag = (typeof nodeTags)[number];

/** A target reduced to what rendering looks at. */
export interface Profile {
  readonly minor: number;
  readonly tags: ReadonlySet<NodeTag>;
}

/**
 * @throws ProblemError `engine.too-old` below 1.12; `engine.unsupported` for another engine or a version that cannot be
 * read
 */
export function profileOf({ engine, version, tags }: EngineTarget): Profile {
  const [, major, minor] = /^v?(\d+)\.(\d+)(?:[.-]|$)/.exec(version) ?? [];
  if (engine !== 'sing-box' || major === undefined || minor === undefined) {
    throw new ProblemError('engine.unsupported', `${engine} ${version} is not known`);
  }
  const line = Number(major) > 1 ? newestMinor : Number(minor);
  if (Number(major) < 1 || line < oldestMinor) {
    throw new ProblemError('engine.too-old', `sing-box ${version} is older than 1.${oldestMinor}`, {
      details: { version, oldest: `1.${oldestMinor}` },
    });
  }
  return { minor: Math.min(line, newestMinor), tags: new Set(nodeTags.filter((tag) => tags.includes(tag))) };
}

/**
 * Text that is the same for all targets that get the same rendition from the same nodes and settings, e.g.
 * `sing-box 1.14 with_quic with_wireguard with_gvisor`.
 * @throws as `profileOf`
 */
export function profileKey(target: EngineTarget): string {
  const { minor, tags } = profileOf(target);
  return ['sing-box', `1.${minor}`, ...tags].join(' ');
}
