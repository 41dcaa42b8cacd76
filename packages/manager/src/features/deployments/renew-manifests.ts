import { fromBase64, hex, isoTime, payloadTypes, sealEnvelope, type Clock, type Envelope } from '@sbox/core';
import { sha256, type KeyPair } from '@sbox/daemon/keys';
import type { Manifest } from '@sbox/protocol';
import type { Repositories, Store } from '../../database/store.ts';
import type { StoredManifest } from '../servers/servers-repository.ts';
import { hearsWithoutOrder, managerUrlsFor } from './manager-urls.ts';
import type { Manifests } from './manifests.ts';

export interface RenewDeps {
  readonly store: Store;
  readonly onlineKey: KeyPair;
  /** Where servers reach this manager from now on; empty for where they reach it now. */
  readonly urls: readonly string[];
  readonly clock: Clock;
  readonly publish: Manifests['publish'];
}

/** Servers in one transaction. */
const batch = 200;
const metaKey = 'manifests';

/**
 * Brings what is stored up to date with the key and the addresses of this manager, before anybody is answered. Another
 * key signs the same bytes; other addresses are news, and so a generation of its own, whose units are those of the last
 * one: nothing is rendered anew because a manager moves. Interrupted, it begins again.
 */
export async function renewManifests({ store, ...deps }: RenewDeps): Promise<void> {
  const { onlineKey, urls } = deps;
  const wanted = `${onlineKey.keyid} ${urls.join(' ')}`;
  if ((await store.meta.get(metaKey)) === wanted) return;
  const ids = (await store.servers.lastSeen()).map(({ id }) => id);
  for (let start = 0; start < ids.length; start += batch) {
    await store.transaction(async (tx) => {
      for (const id of ids.slice(start, start + batch)) await renew(tx, id, deps);
    });
  }
  await store.meta.set(metaKey, wanted);
}

async function renew(
  tx: Repositories,
  serverId: string,
  { onlineKey, urls, clock, publish }: Omit<RenewDeps, 'store'>,
): Promise<void> {
  const [head, server] = [await tx.servers.manifest(serverId), await tx.servers.find(serverId)];
  if (!server) return;
  if (!head) {
    if (hearsWithoutOrder(server, urls)) await publish(tx, server, false);
    return;
  }
  const { payload, signatures } = JSON.parse(Buffer.from(head.envelope).toString('utf8')) as Envelope;
  const bytes = fromBase64(payload) ?? new Uint8Array();
  const manifest = JSON.parse(Buffer.from(bytes).toString('utf8')) as Manifest;
  const { manager_urls: told = [], ...settings } = manifest.settings;
  const { manager_urls: next = [] } = managerUrlsFor(server, urls);
  if (told.join(' ') !== next.join(' ')) {
    const issued_at = isoTime(clock.now());
    const moved = { ...settings, ...managerUrlsFor(server, urls) };
    const body = Buffer.from(
      JSON.stringify({
        ...manifest,
        generation: manifest.generation + 1,
        issued_at,
        settings: moved,
      } satisfies Manifest),
    );
    await tx.servers.insertManifest({ ...sealed(head, body, onlineKey), created_at: issued_at });
    await tx.deployments.leave(serverId);
  } else if (!signatures.some(({ keyid }) => keyid === onlineKey.keyid)) {
    await tx.servers.replaceEnvelope(sealed(head, bytes, onlineKey));
  }
}

function sealed(head: StoredManifest, body: Uint8Array, key: KeyPair): StoredManifest {
  const { epoch, generation } = JSON.parse(Buffer.from(body).toString('utf8')) as Manifest;
  const envelope = sealEnvelope(payloadTypes.manifest, body, key.keyid, key.sign);
  return {
    ...head,
    epoch,
    generation,
    // With the key in it: agents fetch the same order again, see the new key, and drop the old one.
    etag: `"${epoch}.${generation}.${hex(sha256(Buffer.from(`${key.keyid} ${envelope.payload}`))).slice(0, 16)}"`,
    envelope: Buffer.from(JSON.stringify(envelope)),
  };
}
