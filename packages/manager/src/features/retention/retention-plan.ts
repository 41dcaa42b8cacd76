/** How much of something stays: the newest so many, and all that was replaced since so long. What has a reason stays, too. */
export interface RetentionRule {
  readonly keep: number;
  readonly ageMs: number;
}

export interface RetentionRules {
  readonly versions: RetentionRule;
  /** Drafts go by their age alone: nobody numbers them. */
  readonly drafts: Pick<RetentionRule, 'ageMs'>;
  readonly snapshots: RetentionRule;
}

/**
 * Why something stays: the newest; a server was sent it, or said that it runs it; one of the last orders of a server names
 * it, to which that may go back; it is being deployed, or was last; an assignment gives it to servers that come; a person
 * pinned it; a version that stays was made from it; a tag; among the newest so many; too young.
 */
const keptReasons = [
  'newest',
  'server',
  'order',
  'deployment',
  'assignment',
  'pinned',
  'version',
  'tag',
  'count',
  'age',
] as const;
export type KeptReason = (typeof keptReasons)[number];

/** A version of a config, or a snapshot of a subscription. */
export interface Stored {
  readonly version: number;
  readonly state: 'draft' | 'published';
  readonly isTagged: boolean;
  /** When it came to be what it is. */
  readonly since: string;
}

export interface Decision {
  /** Oldest first. */
  readonly removed: readonly Stored[];
  readonly kept: ReadonlyMap<number, KeptReason>;
}

/** Why each that is in use is; the newest belongs to them. */
export type Uses = ReadonlyMap<number, KeptReason>;

/**
 * What goes. Something grows old from when the next one came, not from when it was made: what served for a year until
 * yesterday is one day old.
 * @param stored newest first
 */
export function decide(
  stored: readonly Stored[],
  uses: Uses,
  { rule, drafts }: { readonly rule: RetentionRule; readonly drafts: Pick<RetentionRule, 'ageMs'> },
  nowMs: number,
): Decision {
  const kept = new Map<number, KeptReason>();
  const removed: Stored[] = [];
  let rank = 0;
  let nextMs = nowMs;
  for (const one of stored) {
    const isDraft = one.state === 'draft';
    const sinceMs = isDraft ? Date.parse(one.since) : nextMs;
    const isOld = nowMs - sinceMs > (isDraft ? drafts : rule).ageMs;
    if (!isDraft) {
      rank += 1;
      nextMs = Date.parse(one.since);
    }
    const tag = one.isTagged ? 'tag' : undefined;
    const count = !isDraft && rank <= rule.keep ? 'count' : undefined;
    const reason = uses.get(one.version) ?? tag ?? count ?? (isOld ? undefined : 'age');
    if (reason === undefined) removed.push(one);
    else kept.set(one.version, reason);
  }
  return { removed: removed.toReversed(), kept };
}
