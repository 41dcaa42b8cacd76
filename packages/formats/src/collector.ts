import { ProblemError, type Sha256Text } from '@sbox/core';
import { resolveDetours, type Entry, type OtherNames } from './detours.ts';
import type { Limits } from './limits.ts';
import { mergeMetadata, type Metadata } from './metadata/metadata.ts';
import type { Node, NodeDraft } from './node.ts';
import { nodeId } from './node-id.ts';
import { isNoticeName, isNowhere } from './notices.ts';
import { rejection, type Rejected } from './rejected.ts';
import { createTagWatch } from './tag-watch.ts';
import { normaliseName } from './text/names.ts';
import { uniqueTags } from './unique-tags.ts';

/** Where the readers of documents put what they find. */
export interface Collector {
  /**
   * Reads one item; a ProblemError of `read` becomes a rejected entry for this line.
   * @param read is given the text, so that readers which need nothing else are made once and not for each item.
   * @param name what `detour` of other items calls it, when that is not its tag.
   */
  add(line: number, text: string, read: (text: string) => NodeDraft, name?: string): void;
  /** Says that `detour` may name something that is no node, and what that is: `a group`. */
  addOther(name: string, what: string): void;
  /** From here on names are those of another document inside the same one. */
  startScope(): void;
  /** Facts about the plan; what was said first is kept. */
  addMetadata(metadata: Partial<Metadata>): void;
}

export interface Collected {
  readonly nodes: readonly Node[];
  /** The line of the source that each node stands in. */
  readonly lines: readonly number[];
  readonly rejected: readonly Rejected[];
  readonly metadata: Metadata;
}

export interface CollectorDeps {
  readonly sha256Text: Sha256Text;
  readonly limits: Limits;
}

const maxOtherNames = 100_000;

export function createCollector({ sha256Text, limits }: CollectorDeps): Collector & { collected(): Collected } {
  const items = createItems();
  const { drafts, lines, waiting, itemNames, scopeStarts } = items;
  const tags = createTagWatch();
  const rejections = createRejections(limits);
  const others = createOtherNames();
  const notices: string[] = [];
  let metadata: Partial<Metadata> = {};

  const finish = (draft: NodeDraft, name = normaliseName(draft.tag ?? '')): Node => {
    draft.id = nodeId(draft, sha256Text);
    draft.tag = name || normaliseName(`${draft.type}-${draft.server}-${draft.server_port}`);
    tags.add(draft.tag);
    return draft as Node;
  };

  const resolve = (): Pick<Collected, 'nodes' | 'lines'> => {
    const found = resolveDetours(entriesOf(items), others.scopes, finish, (entry, error) =>
      rejections.add(rejection(error, entry.line, entry.draft.tag ?? '')),
    );
    return { nodes: found.map(({ node }) => node), lines: found.map(({ line }) => line) };
  };

  return {
    add(line, text, read, name) {
      let draft: NodeDraft;
      let tag: string;
      try {
        draft = read(text);
        tag = normaliseName(draft.tag ?? '');
        refuseNotice(draft, tag);
      } catch (error) {
        const entry = rejection(error, line, text);
        if (name !== undefined) others.add(name, 'a node that was rejected');
        const notice = entry.code === 'node.notice' ? noticeOf(error) : '';
        if (notice !== '' && notices.length < limits.maxNotices) notices.push(notice);
        rejections.add(entry);
        return;
      }
      if (drafts.length >= limits.maxNodes) throw tooMany('nodes', limits);
      lines.push(line);
      const itemName = name ?? draft.tag ?? '';
      // Only an id that depends on another node's has to wait.
      if (draft.detour === undefined) finish(draft, tag);
      else waiting.add(drafts.length);
      if (itemName !== draft.tag) itemNames.set(drafts.length, itemName);
      drafts.push(draft);
    },
    addOther: others.add,
    startScope() {
      others.startScope();
      scopeStarts.push(drafts.length);
    },
    addMetadata(more) {
      metadata = mergeMetadata(metadata, more);
    },
    collected() {
      const found = waiting.size === 0 ? { nodes: drafts as Node[], lines } : resolve();
      return {
        nodes: tags.allDiffer() ? found.nodes : uniqueTags(found.nodes),
        lines: found.lines,
        rejected: rejections.listed(),
        metadata: mergeMetadata(metadata, { notices }),
      };
    },
  };
}

/** Lists of their own: with an object more for each node, the collector of garbage would take longer than the parser. */
interface Items {
  /** They become nodes where they are. */
  readonly drafts: NodeDraft[];
  readonly lines: number[];
  /** The places of drafts that cannot be made nodes yet. */
  readonly waiting: Set<number>;
  /** By the place of the draft, only what is not its tag. */
  readonly itemNames: Map<number, string>;
  /** The place where each scope begins. */
  readonly scopeStarts: number[];
}

const createItems = (): Items => ({
  drafts: [],
  lines: [],
  waiting: new Set(),
  itemNames: new Map(),
  scopeStarts: [0],
});

function entriesOf({ drafts, lines, waiting, itemNames, scopeStarts }: Items): readonly Entry[] {
  let scope = 0;
  return drafts.map((draft, at): Entry => {
    while ((scopeStarts[scope + 1] ?? Infinity) <= at) scope += 1;
    const [line = 0, name = draft.tag ?? ''] = [lines[at], itemNames.get(at)];
    return { line, draft, node: waiting.has(at) ? undefined : (draft as Node), name, scope };
  });
}

interface OtherNamesByScope {
  readonly scopes: readonly OtherNames[];
  add(name: string, what: string): void;
  startScope(): void;
}

function createOtherNames(): OtherNamesByScope {
  let names = new Map<string, string>();
  const scopes = [names];
  return {
    scopes,
    add(name, what) {
      if (names.size < maxOtherNames && !names.has(name)) names.set(name, what);
    },
    startScope() {
      names = new Map();
      scopes.push(names);
    },
  };
}

const tooMany = (what: string, { maxNodes }: Limits): ProblemError =>
  new ProblemError('subscription.too-many-nodes', `there are more than ${maxNodes} ${what}`, {
    details: { max_nodes: maxNodes },
  });

/** Lists rejected items up to a limit; the last entry counts the others. A bad item takes longer than a good one. */
function createRejections(limits: Limits): { add(entry: Rejected): void; listed(): readonly Rejected[] } {
  const rejected: Rejected[] = [];
  let unlisted: Rejected | undefined;
  let unlistedCount = 0;
  return {
    add(entry) {
      if (rejected.length + unlistedCount >= limits.maxNodes) throw tooMany('lines that are no nodes', limits);
      if (rejected.length < limits.maxRejected - 1) {
        rejected.push(entry);
        return;
      }
      unlisted ??= entry;
      unlistedCount += 1;
    },
    listed() {
      const last =
        unlistedCount > 1 && unlisted
          ? { ...unlisted, reason: `${unlisted.reason} (and ${unlistedCount - 1} more)` }
          : unlisted;
      const inOrder = rejected.toSorted((a, b) => a.line - b.line);
      return last === undefined ? inOrder : [...inOrder, last];
    },
  };
}

function noticeOf(error: unknown): string {
  const notice = error instanceof ProblemError ? error.details?.['notice'] : undefined;
  return typeof notice === 'string' ? normaliseName(notice) : '';
}

/** @param name the name of the node, normalised */
function refuseNotice({ tag, server }: NodeDraft, name: string): void {
  if (isNowhere(server)) {
    throw new ProblemError('node.notice', `${server} is the address of a message, not of a server`, {
      details: { notice: tag ?? '' },
    });
  }
  if (isNoticeName(name))
    throw new ProblemError('node.notice', 'the name is a notice about the plan', { details: { notice: tag } });
}
