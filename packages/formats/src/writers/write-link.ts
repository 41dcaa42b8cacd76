import { ProblemError } from '@sbox/core';
import { defaultLimits } from '../limits.ts';
import { parseLink } from '../links/parse-link.ts';
import type { Node } from '../node.ts';
import type { Params } from '../params.ts';
import { shadowTlsPrefix } from '../protocols/shadow-tls.ts';
import { readBack, type Difference } from './compare-node.ts';
import { linkForms } from './link-forms.ts';
import { nodeParams, peerPrefix } from './node-params.ts';

export interface WrittenLink {
  readonly link: string;
  /** What the link does not carry, and the node works without. */
  readonly reduced: readonly string[];
}

/**
 * The share link of a node, in the form that most programs read. Each link is read back before it is given out, so
 * that it never means another node.
 * @throws ProblemError `node.unsupported` when no link can carry the node; the detail names the fields, not their values.
 */
export const writeLink = (node: Node): string => writeCheckedLink(node).link;

/** @throws ProblemError `node.unsupported` */
export function writeCheckedLink(node: Node): WrittenLink {
  const links = candidates(node).filter((link) => link.length <= defaultLimits.maxLineBytes);
  let best: (WrittenLink & Difference) | undefined;
  for (const link of links) {
    const difference = readBack(node, () => parseLink(link));
    if (difference.lost.length === 0 && difference.reduced.length === 0) return { link, reduced: [] };
    if (best === undefined || isBetter(difference, best)) best = { link, ...difference };
  }
  if (best === undefined) throw new ProblemError('node.unsupported', noLink(node));
  if (best.lost.length > 0) {
    throw new ProblemError('node.unsupported', `a link would lose or change ${best.lost.join(', ')}`, {
      details: { fields: best.lost },
    });
  }
  return { link: best.link, reduced: best.reduced };
}

const noLink = ({ type }: Node): string =>
  linkForms[type] === undefined
    ? `there is no link for nodes of type ${type}`
    : `the link would be longer than ${defaultLimits.maxLineBytes} bytes`;

const isBetter = (one: Difference, other: Difference): boolean =>
  one.lost.length === other.lost.length
    ? one.reduced.length < other.reduced.length
    : one.lost.length < other.lost.length;

/** The forms of a link, the usual ones first; settings of other formats may stand in the way, so also without them. */
function candidates(node: Node): readonly string[] {
  const forms = linkForms[node.type] ?? [];
  const params = linkParams(node);
  if (params === undefined) return [];
  const variants: Params[] = [params];
  if (node.extra !== undefined) variants.unshift(new Map([...params, ...Object.entries(node.extra)]));
  return variants.flatMap((variant) => forms.map((format) => format(new Map(variant), node.tag)));
}

/**
 * What no other program would read in a link is not written either, so that the node is left out: it would be another
 * one without ShadowTLS (which only links of Shadowsocks have) or without further peers.
 */
function linkParams(node: Node): Params | undefined {
  const params = nodeParams(node);
  if (params === undefined) return undefined;
  for (const name of params.keys()) {
    const isShadowTls = name.startsWith(shadowTlsPrefix) && node.type !== 'shadowsocks';
    if (isShadowTls || name.startsWith(peerPrefix)) params.delete(name);
  }
  return params;
}
