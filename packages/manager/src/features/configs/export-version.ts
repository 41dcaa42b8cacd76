import { ProblemError } from '@sbox/core';
import { profileKey } from '@sbox/engines/sing-box/render';
import type { Store } from '../../database/store.ts';
import { chooseEngine } from '../engines/engine-choice.ts';
import { factsOf } from '../servers/server-facts.ts';
import type { Server, ServerAssignment } from '../servers/servers-repository.ts';
import type { ConfigVersion } from './config-versions-repository.ts';
import type { Config } from './configs-repository.ts';
import { findVersion } from './find-config.ts';
import type { MadeRendition } from './rendering.ts';
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
  const { text, rendition } = await storedText(store, version, version.renditions[0]);
  return exported(text, rendition.digest);
}

const exported = (text: string, digest: string): Exported => ({ bytes: Buffer.from(text), etag: `"${digest}"` });

/** A rendition with its text; files that are stored are not among `contents`. */
export type RenditionText = Pick<MadeRendition, 'rendition' | 'text' | 'contents'>;

async function storedText(
  { configs }: Pick<Store, 'configs'>,
  { version }: Pick<ConfigVersion, 'version'>,
  rendition: ConfigVersion['renditions'][number] | undefined,
): Promise<RenditionText> {
  const bytes = rendition && (await configs.content(rendition.digest));
  if (!bytes) throw new ProblemError('config.version-not-found', `version ${version} has no rendition`);
  return { rendition, text: bytes.toString('utf8'), contents: new Map() };
}

/** A server, and what it was sent of a config. */
export interface Taker {
  readonly server: Server;
  readonly sent: ServerAssignment | undefined;
}

/** @throws ProblemError `server.not-found` */
export async function findTaker({ servers }: Store, config: Pick<Config, 'id'>, name: string): Promise<Taker> {
  const server = await servers.find(name);
  if (!server) throw new ProblemError('server.not-found', `server ${name}`);
  const assignments = await servers.assignments({ serverIds: [server.id] });
  return { server, sent: assignments.find(({ config_id }) => config_id === config.id) };
}

/**
 * What a server runs of a version, with what was known of it when it was sent that; else what it would get.
 * @throws ProblemError `config.version-not-found`, and of rendering
 */
export async function renditionFor(
  { store, versions }: ExportDeps,
  { server, sent }: Taker,
  version: ConfigVersion,
): Promise<RenditionText> {
  const isSent = sent?.version === version.version;
  const facts = isSent ? { server: server.name, ...sent.facts } : factsOf(server);
  const engine = buildFor(version.inputs, facts, sent?.engine ?? '');
  const { target } = await chooseEngine(store, server, engine);
  const [profile, { variant }] = [profileKey(target), variantFor(version.inputs, facts)];
  const known = version.renditions.find((one) => one.profile === profile && one.variant === variant);
  return known
    ? await storedText(store, version, known)
    : (await versions.renderFor(version.inputs, target, facts)).made;
}

/**
 * What a server runs of a config, or would get of it: the version that it was sent, unless another is wanted.
 * @throws ProblemError `server.not-found`, `config.version-not-found`, and of rendering
 */
export async function exportForServer(
  deps: ExportDeps,
  config: Config,
  name: string,
  wanted: number | string | undefined,
): Promise<Exported> {
  const taker = await findTaker(deps.store, config, name);
  const version = await findVersion(deps.store, config, wanted ?? taker.sent?.version ?? config.version ?? 0);
  const { text, rendition } = await renditionFor(deps, taker, version);
  return exported(text, rendition.digest);
}
