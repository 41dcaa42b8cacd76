/** What has been used of a plan, in bytes; a field that is missing is unknown or without limit. */
export interface PlanUsage {
  readonly upload?: number;
  readonly download?: number;
  readonly total?: number;
  /** Seconds since 1970. */
  readonly expire?: number;
}

/** What a provider says about the plan beside the nodes. Links are http(s), texts are one line and safe to print. */
export interface Metadata {
  readonly title?: string;
  readonly plan_name?: string;
  readonly file_name?: string;
  readonly update_interval_hours?: number;
  readonly usage?: PlanUsage;
  readonly web_page_url?: string;
  readonly support_url?: string;
  readonly announce?: string;
  readonly announce_url?: string;
  /** Where the subscription can be had from now on; it is for people to follow, not for us. */
  readonly moved_to?: string;
  /** The names of nodes and the lines that are messages about the plan. */
  readonly notices: readonly string[];
}

/** Several sources of the same facts, the most trusted first; of `usage` each number by itself. */
export function mergeMetadata(...sources: readonly Partial<Metadata>[]): Metadata {
  const merged: Metadata = Object.assign({}, ...sources.toReversed());
  const usage: PlanUsage = Object.assign({}, ...sources.toReversed().map((source) => source.usage ?? {}));
  const notices = [...new Set(sources.flatMap((source) => source.notices ?? []))];
  return Object.keys(usage).length > 0 ? { ...merged, usage, notices } : { ...merged, notices };
}
