import type { ListDiff } from './diff-lists.ts';

/** Values may be secrets: only names of fields are ever given. */
export interface ChangedItem {
  readonly tag: string;
  readonly fields: readonly string[];
}

export interface Renamed {
  readonly from: string;
  readonly to: string;
}

/** Things with tags, in whatever order. */
export interface TaggedDiff {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly ChangedItem[];
}

export interface ChangedGroup extends ChangedItem {
  readonly members_added: readonly string[];
  readonly members_removed: readonly string[];
}

export interface ConfigDiff {
  /** Nodes and the engine's own outbounds, endpoints with them. */
  readonly outbounds: TaggedDiff & { readonly renamed: readonly Renamed[] };
  readonly groups: Omit<TaggedDiff, 'changed'> & { readonly changed: readonly ChangedGroup[] };
  readonly rules: ListDiff;
  readonly rule_sets: TaggedDiff;
  readonly dns: { readonly servers: TaggedDiff; readonly rules: ListDiff; readonly fields: readonly string[] };
  readonly inbounds: TaggedDiff;
  /** Everything else, by its path. */
  readonly other: readonly string[];
  /** One line: `+3 nodes DE, −1 rule, DNS unchanged`. */
  readonly summary: string;
}
