import { hex, payloadTypes, sealEnvelope, toBase64, type Clock, type Envelope } from '@sbox/core';
import { sha256, type KeyPair } from '@sbox/daemon/keys';
import type { Trust } from '@sbox/protocol';
import type { MetaRepository } from '../../database/meta-repository.ts';

export interface TrustDeps {
  readonly meta: MetaRepository;
  readonly rootKey: KeyPair;
  readonly onlineKey: KeyPair;
  /** The CA of the manager's certificate; null when it has one of the public web. */
  readonly ca: { readonly pem: string; readonly sha256: string } | null;
  readonly clock: Clock;
}

export interface TrustAnswer {
  readonly root_key: string;
  readonly trust: Envelope;
  readonly ca_pem: string | null;
}

const metaKey = 'trust';

/**
 * The trust document under the root key. Its version grows when what it says changes, and only then; it is a time, so
 * that one that is made after a restore is newer than all that servers saw before.
 */
export async function openTrust({ meta, rootKey, onlineKey, ca, clock }: TrustDeps): Promise<TrustAnswer> {
  const says = {
    keys: [{ keyid: onlineKey.keyid, public_key: toBase64(onlineKey.publicKey) }],
    ca_sha256: ca?.sha256 ?? null,
  };
  const digest = hex(sha256(Buffer.from(JSON.stringify(says))));
  const [oldVersion = '0', oldDigest] = ((await meta.get(metaKey)) ?? '').split(' ');
  const next = Math.max(Number(oldVersion) + 1, Math.floor(clock.now() / 1000));
  const version = oldDigest === digest ? Number(oldVersion) : next;
  if (oldDigest !== digest) await meta.set(metaKey, `${version} ${digest}`);
  const body = Buffer.from(JSON.stringify({ schema: 1, version, ...says } satisfies Trust));
  return {
    root_key: toBase64(rootKey.publicKey),
    trust: sealEnvelope(payloadTypes.trust, body, rootKey.keyid, rootKey.sign),
    ca_pem: ca?.pem ?? null,
  };
}
