import { ProblemError, type Sha256, type Sha256Text } from '@sbox/core';
import { createCollector } from './collector.ts';
import { detectDocument } from './documents/detect.ts';
import type { DocumentFormat } from './documents/document.ts';
import { defaultLimits, type Limits } from './limits.ts';
import { mergeMetadata, type Metadata } from './metadata/metadata.ts';
import { readMetadataLines } from './metadata/read-metadata.ts';
import { readNotices } from './metadata/read-notices.ts';
import type { Node } from './node.ts';
import { textHash } from './node-id.ts';
import type { Rejected } from './rejected.ts';

export interface ParsedSubscription {
  /** What it was on the outside: `base64` whatever was in it. */
  readonly format: DocumentFormat;
  /** In the order of the source, with unique tags; the same node twice is there twice. */
  readonly nodes: readonly Node[];
  readonly rejected: readonly Rejected[];
  /** The line of the source that each node stands in; only when it was asked for. */
  readonly lines?: readonly number[];
  /** What the document itself says about the plan; headers are read by `readMetadataHeaders`. */
  readonly metadata: Metadata;
}

export interface ParseDeps {
  readonly sha256: Sha256;
  /** Hashes the identities of nodes where it is given: without a copy of each, which a large subscription notices. */
  readonly sha256Text?: Sha256Text;
  readonly limits?: Partial<Limits>;
  /** Says in which lines the nodes stand. */
  readonly withLines?: boolean;
}

/**
 * Reads a subscription: share links, base64, Clash, sing-box, Xray, SIP008, SSD, Surge, Loon, Quantumult X, wg-quick.
 * What cannot be read is rejected by itself, with its line and the reason.
 * @throws ProblemError `subscription.html`, `.empty`, `.compressed`, `.unknown-format`, `.too-large`,
 * `.too-many-nodes`, `.too-deep`, `.too-many-aliases`, and `.no-nodes` with the rejected lines in its details.
 */
export function parseSubscription(input: string | Uint8Array, deps: ParseDeps): ParsedSubscription {
  const limits = { ...defaultLimits, ...deps.limits };
  const source = textOf(input, limits);
  const { format, text, read } = detectDocument(source);
  const collector = createCollector({ sha256Text: deps.sha256Text ?? textHash(deps.sha256), limits });
  collector.addMetadata(readMetadataLines(text));
  // Lines of facts may stand in front of base64, too.
  if (text !== source) collector.addMetadata(readMetadataLines(source));
  read(text, collector, limits);
  const { nodes, lines, rejected, metadata } = collector.collected();
  const usage = readNotices(metadata.notices);
  const all = usage === undefined ? metadata : mergeMetadata(metadata, { usage });
  if (nodes.length === 0) {
    throw new ProblemError('subscription.no-nodes', noNodes(rejected), {
      details: { format, rejected: rejected.slice(0, 100), notices: all.notices },
    });
  }
  return { format, nodes, rejected, metadata: all, ...(deps.withLines === true ? { lines } : {}) };
}

function noNodes(rejected: readonly Rejected[]): string {
  const [first] = rejected;
  return first === undefined
    ? 'it lists no nodes'
    : `all ${rejected.length} entries were rejected; the first: ${first.reason}`;
}

/** gzip and Zstandard: the HTTP layer unpacks them, and here there is nothing that could. */
const compressed: readonly (readonly [string, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
];

function textOf(input: string | Uint8Array, { maxBytes }: Limits): string {
  if (input.length > maxBytes || (typeof input === 'string' && isLonger(input, maxBytes))) {
    throw new ProblemError('subscription.too-large', `it is larger than ${maxBytes} bytes`, {
      details: { max_bytes: maxBytes },
    });
  }
  if (typeof input === 'string') return withoutMark(input);
  const packed = compressed.find(([, magic]) => magic.every((byte, at) => input[at] === byte));
  if (packed !== undefined) throw new ProblemError('subscription.compressed', `it is compressed with ${packed[0]}`);
  return withoutMark(new TextDecoder(encodingOf(input)).decode(input));
}

/** UTF-8 takes at most three bytes for each UTF-16 unit, so most texts need no count. */
const isLonger = (text: string, maxBytes: number): boolean =>
  text.length * 3 > maxBytes && new TextEncoder().encode(text).length > maxBytes;

const withoutMark = (text: string): string => (text.startsWith('\ufeff') ? text.slice(1) : text);

/** The byte order marks of UTF-16; UTF-8 otherwise. */
function encodingOf([first, second]: Uint8Array): string {
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  return first === 0xfe && second === 0xff ? 'utf-16be' : 'utf-8';
}
