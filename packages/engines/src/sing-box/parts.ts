import type { ProblemCode } from '@sbox/core';
import type { Json } from './document.ts';

/** A node that this engine cannot run. */
export interface LeftOut {
  readonly node_id: string;
  readonly tag: string;
  readonly code: ProblemCode;
  /** Names fields, never their values. */
  readonly reason: string;
}

/** One node as the engine takes it; `outbounds` has a second one for a ShadowTLS in front of it. */
export interface NodePart {
  readonly node_id: string;
  readonly tag: string;
  readonly outbounds: readonly Json[];
  readonly endpoints: readonly Json[];
  /** May be open only once at a time; a trial does without. */
  readonly is_once: boolean;
}

/** What a group may have as a member: a node by its id, another group, or one of the engine's own outbounds. */
export type GroupMember =
  { readonly node: string } | { readonly group: string } | { readonly builtin: 'direct' | 'block' };

/** How a group chooses; sing-box knows the first two, the others are rendered as `urltest` with a warning. */
export type GroupType = 'selector' | 'urltest' | 'fallback' | 'load-balance';

/** A group of nodes, whose members are known by id, so that no rename changes it. */
export interface Group {
  readonly tag: string;
  readonly type: GroupType;
  readonly members: readonly GroupMember[];
  /** selector: chosen until somebody chooses otherwise; the first member when it is not set or was left out. */
  readonly default?: GroupMember;
  readonly url?: string;
  readonly interval?: string;
  /** Milliseconds. */
  readonly tolerance?: number;
  /** What stands in the group when no member is left: an outbound, nothing (the group goes too), or a failed render. */
  readonly empty: 'direct' | 'block' | 'omit' | 'fail';
}

/** Something the engine does in another way than was asked for; nothing is left out for it. */
export interface RenderWarning {
  readonly code: string;
  /** The JSON path in the rendition, or of the skeleton. */
  readonly path: string;
  readonly message: string;
}

/** A file that the rendition refers to by its path; it travels with the version. */
export interface RenditionFile {
  /** Relative to the engine's folder of files: `rule-sets/<hex>.srs`. */
  readonly path: string;
  readonly digest: string;
  readonly size: number;
}

export interface Rendered {
  readonly config: Json;
  /** The bytes to store: the same for the same inputs and profile. */
  readonly text: string;
  readonly left_out: readonly LeftOut[];
  readonly warnings: readonly RenderWarning[];
  readonly files: readonly RenditionFile[];
  /** Tags of what may be open only once at a time; a trial does without. */
  readonly once: readonly string[];
  /** Node id of each tag that is a node. */
  readonly nodes: readonly { readonly tag: string; readonly node_id: string }[];
}
