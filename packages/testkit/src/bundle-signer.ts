// A manager's keys without a manager: signs orders as bundles, also those that no config of a manager would become.
import { digestOf, isoTime, payloadTypes, sealEnvelope, toBase64 } from '@sbox/core';
import { createKeyPair, sha256 } from '@sbox/daemon/keys';
import { packTar } from '@sbox/manager/tar';
import type { Bundle, Manifest, Unit } from '@sbox/protocol';

export interface SignedUnit extends Partial<Omit<Unit, 'config'>> {
  readonly config: Readonly<Record<string, unknown>>;
}

export interface BundleSigner {
  /** What `sboxagent import --pin` takes. */
  readonly pin: string;
  /** The newest generation that was signed. */
  readonly newest: number;
  /** The next generation, or the one that `manifest` names. */
  sign(units: readonly SignedUnit[], manifest?: Partial<Manifest>): { generation: number; archive: Buffer };
}

const serverId = 'srv_bundled';

/** Units are called `main` and have the probe that is given, unless they say otherwise. */
export function createBundleSigner(probe: Unit['probe']): BundleSigner {
  const [root, online] = [createKeyPair(), createKeyPair()];
  const seal = (type: string, body: unknown, key: typeof root): Bundle['trust'] => {
    const { signatures, ...envelope } = sealEnvelope(type, Buffer.from(JSON.stringify(body)), key.keyid, key.sign);
    return { ...envelope, signatures: [...signatures] };
  };
  const trusted = {
    schema: 1,
    version: 1,
    keys: [{ keyid: online.keyid, public_key: toBase64(online.publicKey) }],
    ca_sha256: null,
  };
  let newest = 0;
  return {
    pin: digestOf(root.publicKey, sha256),
    get newest() {
      return newest;
    },
    sign(units, more = {}) {
      const contents = units.map(({ config }) => Buffer.from(JSON.stringify(config)));
      const issued_at = isoTime(Date.now());
      const generation = more.generation ?? newest + 1;
      newest = Math.max(newest, generation);
      const manifest: Manifest = {
        schema: 1,
        server_id: serverId,
        epoch: 1,
        generation,
        issued_at,
        not_after: null,
        min_agent: '0.1.0',
        settings: { heartbeat_ms: 30_000, poll_ms: 60_000, reconnect_window_ms: 5000 },
        rollback_of: null,
        on_return: 'enforce',
        ...more,
        units: units.map(({ config: _content, ...unit }, at) => ({
          name: 'main',
          kind: 'sing-box',
          engine: '>=1.12',
          config: { ...contentOf(contents[at]), config_id: null, version: generation },
          once: [],
          reload: 'auto',
          trial: true,
          probe,
          watch_ms: 300,
          ...unit,
        })),
      };
      const bundle: Bundle = {
        schema: 1,
        server_id: serverId,
        server_name: 'bundled',
        made_at: issued_at,
        root_key: toBase64(root.publicKey),
        trust: seal(payloadTypes.trust, trusted, root),
        manifest: seal(payloadTypes.manifest, manifest, online),
      };
      const blobs = contents.map((content) => ({ name: blobName(contentOf(content).digest), content }));
      return {
        generation,
        archive: packTar([{ name: 'bundle.json', content: Buffer.from(JSON.stringify(bundle)) }, ...blobs], Date.now()),
      };
    },
  };
}

const contentOf = (content: Uint8Array = new Uint8Array()): { digest: string; size: number } => ({
  digest: digestOf(content, sha256),
  size: content.length,
});

const blobName = (digest: string): string => `blobs/sha256/${digest.slice('sha256:'.length)}`;
