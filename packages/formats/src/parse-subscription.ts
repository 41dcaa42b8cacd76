import { ProblemError, type Sha256 } from '@sbox/core';
import { createCollector } from './collector.ts';
import { detectDocument } from './documents/detect.ts';
import type { DocumentFormat } from './documents/document.ts';
import { defaultLimits, type Limits } from './limits.ts';
import type { Node } from './node.ts';
import type { Rejected } from './rejected.ts';

export interface ParsedSubscription {
  /** What it was on the outside: `base64` whatever was in it. */
  readonly format: DocumentFormat;
  /** In the order of the source, with unique tags; the same node twice is there twice. */
  readonly nodes: readonly Node[];
  readonly rejected: readonly Rejected[];
}

export interface ParseDeps {
  readonly sha256: Sha256;
  readonly limits?: Partial<Limits>;
}

/**
 * Reads a subscription: a list of share links, base64 of one, Clash YAML or sing-box JSON. What cannot be read is
 * rejected by itself, with its line and the reason.
 * @throws ProblemError `subscription.html`, `.empty`, `.unknown-format`, `.too-large`, and `.no-nodes` with the
 * rejected lines in its details.
 */
export function parseSubscription(input: string | Uint8Array, deps: ParseDeps): ParsedSubscription {
  const limits = { ...defaultLimits, ...deps.limits };
  const { format, text, read } = detectDocument(textOf(input, limits));
  const collector = createCollector({ sha256: deps.sha256, limits });
  read(text, collector, limits);
  const { nodes, rejected } = collector.collected();
  if (nodes.length === 0) {
    throw new ProblemError('subscription.no-nodes', noNodes(rejected), {
      details: { format, rejected: rejected.slice(0, 100) },
    });
  }
  return { format, nodes, rejected };
}

function noNodes(rejected: readonly Rejected[]): string {
  const [first] = rejected;
  return first === undefined
    ? 'it lists no nodes'
    : `all ${rejected.length} entries were rejected; the first: ${first.reason}`;
}

function textOf(input: string | Uint8Array, { maxBytes }: Limits): string {
  if (input.length > maxBytes) {
    throw new ProblemError('subscription.too-large', `it is larger than ${maxBytes} bytes`, {
      details: { max_bytes: maxBytes },
    });
  }
  const text = typeof input === 'string' ? input : new TextDecoder(encodingOf(input)).decode(input);
  return text.startsWith('\ufeff') ? text.slice(1) : text;
}

/** The byte order marks of UTF-16; UTF-8 otherwise. */
function encodingOf([first, second]: Uint8Array): string {
  if (first === 0xff && second === 0xfe) return 'utf-16le';
  return first === 0xfe && second === 0xff ? 'utf-16be' : 'utf-8';
}
