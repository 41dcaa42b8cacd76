import { ProblemError, type Sha256 } from '@sbox/core';
import type { Limits } from './limits.ts';
import type { Node, NodeDraft } from './node.ts';
import { nodeId } from './node-id.ts';
import { isNoticeName, isNowhere } from './notices.ts';
import { rejection, type Rejected } from './rejected.ts';
import { normaliseName } from './text/names.ts';
import { uniqueTags } from './unique-tags.ts';

/** Where the readers of documents put what they find. */
export interface Collector {
  /** Reads one item; a ProblemError of `read` becomes a rejected entry for this line. */
  add(line: number, text: string, read: () => NodeDraft): void;
}

export interface Collected {
  readonly nodes: readonly Node[];
  readonly rejected: readonly Rejected[];
}

export interface CollectorDeps {
  readonly sha256: Sha256;
  readonly limits: Limits;
}

export function createCollector({ sha256, limits }: CollectorDeps): Collector & { collected(): Collected } {
  const nodes: Node[] = [];
  const rejected: Rejected[] = [];
  let unlisted: Rejected | undefined;
  let unlistedCount = 0;

  const reject = (entry: Rejected): void => {
    if (rejected.length < limits.maxRejected - 1) {
      rejected.push(entry);
      return;
    }
    unlisted ??= entry;
    unlistedCount += 1;
  };

  return {
    add(line, text, read) {
      let draft: NodeDraft;
      try {
        draft = read();
        refuseNotice(draft);
      } catch (error) {
        reject(rejection(error, line, text));
        return;
      }
      if (nodes.length >= limits.maxNodes) {
        throw new ProblemError('subscription.too-large', `there are more than ${limits.maxNodes} nodes`, {
          details: { max_nodes: limits.maxNodes },
        });
      }
      nodes.push({ id: nodeId(draft, sha256), ...draft, tag: tagOf(draft) });
    },
    collected() {
      const last =
        unlistedCount > 1 && unlisted
          ? { ...unlisted, reason: `${unlisted.reason} (and ${unlistedCount - 1} more)` }
          : unlisted;
      return { nodes: uniqueTags(nodes), rejected: last === undefined ? rejected : [...rejected, last] };
    },
  };
}

const tagOf = ({ tag = '', type, server, server_port }: NodeDraft): string =>
  normaliseName(tag) || normaliseName(`${type}-${server}-${server_port}`);

function refuseNotice({ tag, server }: NodeDraft): void {
  if (isNowhere(server))
    throw new ProblemError('node.notice', `${server} is the address of a message, not of a server`);
  if (tag !== undefined && isNoticeName(tag))
    throw new ProblemError('node.notice', 'the name is a notice about the plan');
}
