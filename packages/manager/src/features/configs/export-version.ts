import { ProblemError } from '@sbox/core';
import { profileKey } from '@sbox/engines/sing-box/render';
import type { Store } from '../../database/store.ts';
import { chooseEngine } from '../engines/engine-choice.ts';
import { factsOf } from '../servers/server-facts.ts';
import type { ConfigVersion } from './config-versions-repository.ts';
import type { Config } from './configs-repository.ts';
import { findVersion } from './find-config.ts';
import { variantFor } from './variants.ts';
import { buildFor, type Versions } from './versions.ts';

export interface ExportDeps {
  readonly store: Store;
  readonly versions: Pick<Versions, 'renderFor'>;
}

export interface Exported {
  readonly bytes: Uint8Array;
  readonly etag: string;
}

/** The exact text of a version, for nobody in particular. @throws ProblemError `config.version-not-found` */
export async function exportVersion({ store }: Pick<ExportDeps, 'store'>, version: ConfigVersion): Promise<Exported> {
  const digest = version.renditions[0]?.digest ?? '';
  const bytes = await store.configs.content(digest);
  if (!bytes) throw new ProblemError('config.version-not-found', `version ${version.version} has no rendition`);
  return { bytes, etag: `"${digest}"` };
}

/**
 * What a server runs of a config, or would get of it: the version that it was sent, with what was known of it then, unless
 * another version is wanted.
 * @throws ProblemError `server.not-found`, `config.version-not-found`, and of rendering
 */
export async function exportForServer(
  { store, versions }: ExportDeps,
  config: Config,
  name: string,
  wanted: number | string | undefined,
): Promise<Exported> {
  const server = await store.servers.find(name);
  if (!server) throw new ProblemError('server.not-found', `server ${name}`);
  const sent = (await store.servers.assignments({ serverIds: [server.id] })).find(
    ({ config_id }) => config_id === config.id,
  );
  const version = await findVersion(store, config, wanted ?? sent?.version ?? config.version ?? 0);
  const isSent = sent?.version === version.version;
  const facts = isSent ? { server: server.name, ...sent.facts } : factsOf(server);
  const engine = buildFor(version.inputs, facts, sent?.engine ?? '');
  const { target } = await chooseEngine(store, server, engine);
  const [profile, { variant }] = [profileKey(target), variantFor(version.inputs, facts)];
  const known = version.renditions.find((one) => one.profile === profile && one.variant === variant);
  if (known) return await exportVersion({ store }, { ...version, renditions: [known] });
  const { made } = await versions.renderFor(version.inputs, target, facts);
  return { bytes: Buffer.from(made.text), etag: `"${made.rendition.digest}"` };
}
