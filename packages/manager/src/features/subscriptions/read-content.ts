import { digestOf } from '@sbox/core';
import { sha256, sha256Text } from '@sbox/daemon/keys';
import { defaultLimits, parseSubscription, type ParsedSubscription } from '@sbox/formats';
import { compress, decompressJson } from '../../database/compressed.ts';
import { unpackUnsaid } from '../../fetching/decode-body.ts';
import type { Parsed } from './subscriptions-repository.ts';

/** What came, read and packed for the database: all that takes long has been done. */
export interface ReadContent {
  readonly format: string;
  readonly nodes: number;
  readonly rejected: number;
  /** Of nodes and rejected lines. */
  readonly digest: string;
  /** Nodes by id, against the snapshot before. */
  readonly added: number;
  readonly removed: number;
  readonly metadata: ParsedSubscription['metadata'];
  /** zstd of JSON: `{nodes, rejected}`. */
  readonly parsed: Uint8Array;
  /** zstd of the bytes as they came. */
  readonly content: Uint8Array;
}

/**
 * Reads a subscription and compares it with the snapshot before, given as it is stored.
 * @throws ProblemError of `parseSubscription`
 */
export function readContent(bytes: Uint8Array, before: Uint8Array | undefined): ReadContent {
  const { format, nodes, rejected, metadata } = parseSubscription(unpackUnsaid(bytes, defaultLimits.maxBytes), {
    sha256,
    sha256Text,
  });
  const json = Buffer.from(JSON.stringify({ nodes, rejected } satisfies Parsed));
  const old = before === undefined ? [] : (decompressJson(before) as Parsed).nodes;
  return {
    format,
    nodes: nodes.length,
    rejected: rejected.length,
    digest: digestOf(json, sha256),
    ...countChanges(old, nodes),
    metadata,
    parsed: compress(json),
    content: compress(bytes),
  };
}

function countChanges(before: Parsed['nodes'], nodes: Parsed['nodes']): { added: number; removed: number } {
  const old = new Set(before.map(({ id }) => id));
  const now = new Set(nodes.map(({ id }) => id));
  return {
    added: [...now].filter((id) => !old.has(id)).length,
    removed: [...old].filter((id) => !now.has(id)).length,
  };
}
