import { digestOf, ProblemError, type Generation } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import { bundleSchema, contentOf, maxBundleBytes, type Bundle } from '@sbox/protocol';
import * as z from 'zod/mini';
import type { BlobSource } from '../order.ts';
import { checkTrust, openManifest, type OpenedManifest, type Trusted } from '../trust/trust-store.ts';
import { readTar } from './tar.ts';

export const bundleLimits = { maxBytes: maxBundleBytes, maxFileBytes: 16 * 1024 * 1024, maxFiles: 1024 } as const;

export interface OpenedBundle {
  readonly bundle: Bundle;
  readonly blobs: ReadonlyMap<string, Uint8Array>;
}

/** What a bundle holds, believed no further than that each content fits its digest. @throws ProblemError `bundle.invalid`, `blob.digest-mismatch` */
export function readBundle(archive: Uint8Array): OpenedBundle {
  // An engine may be most of a bundle.
  const files = readTar(archive, { ...bundleLimits, maxFileBytes: bundleLimits.maxBytes });
  const [first, ...others] = files;
  if (first?.[0] !== 'bundle.json') throw invalid('its first file is not bundle.json');
  const parsed = z.safeParse(bundleSchema, parse(first[1]));
  if (!parsed.success) throw invalid('bundle.json has another form than this agent knows');
  const blobs = new Map<string, Uint8Array>();
  for (const [name, content] of others) {
    const hex = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(name)?.[1];
    if (hex === undefined) throw invalid(`${name} does not belong into a bundle`);
    const digest = digestOf(content, sha256);
    if (digest !== `sha256:${hex}`) throw new ProblemError('blob.digest-mismatch', `${name} holds ${digest}`);
    blobs.set(digest, content);
  }
  return { bundle: parsed.data, blobs };
}

function parse(content: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(content));
  } catch {
    throw invalid('bundle.json is no JSON');
  }
}

const invalid = (detail: string): ProblemError => new ProblemError('bundle.invalid', detail);

export interface BundleChecks {
  /** Of the root key; from the identity of this server, or from who brings the bundle. */
  readonly pin: string;
  readonly serverId: string;
  /** What this server trusts already. */
  readonly trusted: Trusted | undefined;
  readonly agentVersion: string;
  readonly nowMs: number;
  readonly accepted: Generation | null;
}

/**
 * The manifest of a bundle, checked like one from the network, and the trust that it was checked with: the newer of the
 * known one and the bundle's.
 * @throws ProblemError `manager.untrusted`, `manifest.*`, `bundle.invalid` when content is missing
 */
export function verifyBundle(
  { bundle, blobs }: OpenedBundle,
  { pin, serverId, trusted, ...checks }: BundleChecks,
): OpenedManifest & { trusted: Trusted } {
  const brought = checkTrust({ root_key: bundle.root_key, trust: bundle.trust, ca_pem: null }, pin);
  const newest = trusted && trusted.trust.version >= brought.trust.version ? trusted : brought;
  const opened = openManifest(bundle.manifest, newest, { ...checks, serverId });
  const { manifest } = opened;
  const missing = manifest.units.find((unit) => contentOf(unit).some(({ digest }) => !blobs.has(digest)));
  if (missing) throw invalid(`the content of unit ${missing.name} is missing`);
  return { ...opened, trusted: newest };
}

/** Content out of memory; for bundles and for imported files. */
export const createMemoryBlobs = (blobs: ReadonlyMap<string, Uint8Array>): BlobSource => ({
  fetch: async (digest) => {
    const content = blobs.get(digest);
    if (!content) throw new ProblemError('blob.not-found', digest);
    return await Promise.resolve(content);
  },
});
