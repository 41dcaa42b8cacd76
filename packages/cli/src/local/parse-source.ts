import { ProblemError } from '@sbox/core';
import { mergeMetadata, parseSubscription, readMetadataHeaders, type ParsedSubscription } from '@sbox/formats';
import { counted } from '../counted.ts';
import type { Source } from '../read-source.ts';
import { sha256, sha256Text } from '../sha256.ts';

/** A format that was not even recognised is `unknown`. */
export type LooselyParsed = Omit<ParsedSubscription, 'format'> & { readonly format: string };

/** Parses a source; problems say what was read and how it begins. What headers say about the plan comes first. */
export function parseSource(source: Source, { withLines = false } = {}): ParsedSubscription {
  const { bytes, label, answer, headers = [] } = source;
  try {
    const parsed = parseSubscription(bytes, { sha256, sha256Text, withLines });
    return { ...parsed, metadata: mergeMetadata(readMetadataHeaders(headers), parsed.metadata) };
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    const begins = JSON.stringify(new TextDecoder().decode(bytes.subarray(0, 24)));
    const detail = `${label}${answer === undefined ? '' : ` → ${answer}`}, ${bytes.length === 0 ? 'no bytes' : `starts ${begins}`}; ${error.message}`;
    throw new ProblemError(error.code, error.code === 'subscription.html' ? detail.replace(/; [^;]*$/, '') : detail, {
      cause: error,
      fix: `${error.fix}${answer === undefined ? '' : '      see the first bytes: sboxmgr inspect URL --raw'}`,
      ...(error.code === 'subscription.html' ? { headline: 'subscription returned HTML, not a subscription' } : {}),
      ...(error.details === undefined ? {} : { details: error.details }),
    });
  }
}

/** `base64, 14 nodes: vless 6, trojan 3` */
export function summarise({ format, nodes, rejected }: Omit<LooselyParsed, 'metadata'>): string {
  const byType = Map.groupBy(nodes, ({ type }) => type);
  const types = [...byType]
    .toSorted((a, b) => b[1].length - a[1].length)
    .map(([type, group]) => `${type} ${group.length}`);
  return `${format}, ${counted(nodes.length, 'node')}: ${types.join(', ')}${rejected.length === 0 ? '' : `   (${rejected.length} rejected)`}`;
}
