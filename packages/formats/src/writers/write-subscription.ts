import { ProblemError } from '@sbox/core';
import type { Collector } from '../collector.ts';
import { readClashLine } from '../documents/clash.ts';
import { readSingBox } from '../documents/sing-box.ts';
import { defaultLimits } from '../limits.ts';
import type { Node, NodeDraft } from '../node.ts';
import { encodeBase64 } from '../text/encode-base64.ts';
import { uniqueTags } from '../unique-tags.ts';
import { clashProxy, clashRefusal } from './clash.ts';
import { readBack } from './compare-node.ts';
import { shadowTlsTag, singBoxParts, singBoxRefusal, type SingBoxParts } from './sing-box.ts';
import { writeCheckedLink } from './write-link.ts';
import { yamlFlow } from './yaml.ts';

/** The forms of a subscription that are written. */
export const writtenFormats = ['links', 'base64', 'clash', 'sing-box'] as const;

export type WrittenFormat = (typeof writtenFormats)[number];

/** A node that the form cannot carry, or whose detour it cannot. */
export interface NotWritten {
  readonly node_id: string;
  readonly tag: string;
  /** Names fields, never their values. */
  readonly reason: string;
}

/** A node that is written and works, but without some settings. */
export interface WriteWarning {
  readonly node_id: string;
  readonly tag: string;
  /** What the form has no place for: fields that tune, and `extra.*` of another format. */
  readonly fields: readonly string[];
}

export interface WrittenSubscription {
  readonly text: string;
  /** Names of the nodes that are written, in order. */
  readonly tags: readonly string[];
  readonly left_out: readonly NotWritten[];
  readonly warnings: readonly WriteWarning[];
}

/** One node in one form, with what it would be when it is read again. */
interface Written<Item> {
  readonly item: Item;
  readonly reduced: readonly string[];
}

interface Form<Item> {
  /** @throws ProblemError `node.unsupported` */
  readonly write: (node: Node, detour: string | undefined) => Written<Item>;
  readonly join: (items: readonly Item[]) => string;
}

/**
 * Writes nodes as a subscription that `parseSubscription` and other programs read. Each node is read back from what was
 * written, so that none changes silently: what the form cannot carry is left out with a reason, and what it carries
 * only in part is named in `warnings`.
 */
export function writeSubscription(nodes: readonly Node[], format: WrittenFormat): WrittenSubscription {
  const named = withUniqueTags(nodes);
  if (format === 'clash') return writeAll(named, clashForm);
  if (format === 'sing-box') return writeAll(named, singBoxForm);
  return writeAll(named, format === 'base64' ? base64Form : linksForm);
}

/** Unique also beside the outbounds that sing-box has in front of some nodes. */
function withUniqueTags(nodes: readonly Node[]): readonly Node[] {
  const named = uniqueTags(nodes);
  const fronts = named.flatMap(({ tag, shadow_tls }) => (shadow_tls === undefined ? [] : [shadowTlsTag(tag)]));
  return fronts.length === 0 ? named : uniqueTags(named, new Set(fronts));
}

function writeAll<Item>(nodes: readonly Node[], form: Form<Item>): WrittenSubscription {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const reasons = new Map<Node, string>();
  const written = new Map<Node, Written<Item>>();
  for (const node of nodes) {
    try {
      written.set(node, form.write(node, detourTag(node, byId)));
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      reasons.set(node, error.message);
    }
  }
  leaveOutChains(nodes, byId, written, reasons);
  const kept = nodes.flatMap((node) => {
    const result = written.get(node);
    return result === undefined ? [] : [{ node, ...result }];
  });
  return {
    text: form.join(kept.map(({ item }) => item)),
    tags: kept.map(({ node }) => node.tag),
    left_out: nodes.flatMap((node) => {
      const reason = reasons.get(node);
      return reason === undefined ? [] : [{ node_id: node.id, tag: node.tag, reason }];
    }),
    warnings: kept.flatMap(({ node, reduced }) =>
      reduced.length === 0 ? [] : [{ node_id: node.id, tag: node.tag, fields: reduced }],
    ),
  };
}

function detourTag({ detour }: Node, byId: ReadonlyMap<string, Node>): string | undefined {
  if (detour === undefined) return undefined;
  const target = byId.get(detour);
  if (target === undefined)
    throw new ProblemError('node.unsupported', 'it dials through a node that is not in this list');
  return target.tag;
}

/** A node without the one that it dials through would reach its server in another way: it goes too. */
function leaveOutChains(
  nodes: readonly Node[],
  byId: ReadonlyMap<string, Node>,
  written: Map<Node, unknown>,
  reasons: Map<Node, string>,
): void {
  const chained = nodes.filter((node) => node.detour !== undefined && written.has(node));
  for (let isChanged = true; isChanged;) {
    isChanged = false;
    for (const node of chained) {
      const target = byId.get(node.detour ?? '');
      if (target === undefined || written.has(target) || !written.delete(node)) continue;
      reasons.set(node, `it dials through ${JSON.stringify(target.tag)}, which is left out`);
      isChanged = true;
    }
  }
}

const linksForm: Form<string> = {
  write(node) {
    const { link, reduced } = writeCheckedLink(node);
    return { item: link, reduced };
  },
  join: (links) => links.map((link) => `${link}\n`).join(''),
};

const base64Form: Form<string> = { ...linksForm, join: (links) => encodeBase64(linksForm.join(links)) };

const clashForm: Form<string> = {
  write(node, detour) {
    refuse(clashRefusal(node));
    return checked(
      node,
      detour,
      [node.extra, {}].map((extra) => yamlFlow(clashProxy(node, detour, extra))),
      readClashLine,
    );
  },
  join: (lines) =>
    lines.length === 0 ? 'proxies: []\n' : `proxies:\n${lines.map((line) => `  - ${line}\n`).join('')}`,
};

const singBoxForm: Form<SingBoxParts> = {
  write(node, detour) {
    refuse(singBoxRefusal(node));
    return checked(node, detour, [singBoxParts(node, detour)], readParts);
  },
  join: (parts) =>
    `${JSON.stringify(
      {
        outbounds: parts.flatMap(({ outbounds }) => outbounds),
        endpoints: parts.flatMap(({ endpoints }) => endpoints),
      },
      undefined,
      2,
    )}\n`,
};

function refuse(reason: string | undefined): void {
  if (reason !== undefined) throw new ProblemError('node.unsupported', reason);
}

/** The best of several ways to write a node. @throws ProblemError `node.unsupported` */
function checked<Item>(
  node: Node,
  detour: string | undefined,
  items: readonly Item[],
  read: (item: Item) => NodeDraft,
): Written<Item> {
  const expected = detour === undefined ? node : { ...node, detour };
  let lost: readonly string[] = [];
  for (const item of items) {
    const difference = readBack(expected, () => read(item));
    if (difference.lost.length === 0) return { item, reduced: difference.reduced };
    lost = difference.lost;
  }
  throw new ProblemError('node.unsupported', `this form would lose or change ${lost.join(', ')}`);
}

/** Reads the parts of one node as a document of their own. */
function readParts(parts: SingBoxParts): NodeDraft {
  let found: NodeDraft | undefined;
  const collector: Collector = {
    add(_line, text, read) {
      found = read(text);
    },
    addOther() {},
    startScope() {},
    addMetadata() {},
  };
  readSingBox(JSON.stringify(parts), collector, defaultLimits);
  if (found === undefined) throw new ProblemError('node.unsupported', 'sing-box has no such node');
  return found;
}
