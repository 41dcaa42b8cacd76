import {
  isoTime,
  parseDuration,
  payloadTypes,
  ProblemError,
  sealEnvelope,
  hex,
  type Clock,
  type Generation,
} from '@sbox/core';
import { sha256, type KeyPair } from '@sbox/daemon/keys';
import { contentOf, type AgentFeature, type Manifest, type Unit } from '@sbox/protocol';
import type { Repositories } from '../../database/store.ts';
import type { ConfigSettings, VersionRendition } from '../configs/rendering.ts';
import { variantFor } from '../configs/variants.ts';
import { buildFor, type Versions } from '../configs/versions.ts';
import { chooseEngine } from '../engines/engine-choice.ts';
import type { Server, ServerAssignment } from '../servers/servers-repository.ts';
import { managerUrlsFor } from './manager-urls.ts';

export interface ManifestsDeps {
  /** Signs manifests; the trust document names it. */
  readonly onlineKey: KeyPair;
  readonly clock: Clock;
  readonly versions: Versions;
  readonly pace: Manifest['settings'];
  /** Where servers reach the manager from now on; empty for where they reach it now. */
  readonly urls: readonly string[];
  readonly epoch: number;
}

export interface Published extends Generation {
  /** False when the server has this very order already. */
  readonly isNew: boolean;
}

export interface Manifests {
  readonly epoch: number;
  /**
   * Writes the manifest of what a server is assigned. `again` makes a new generation of an order that is there already,
   * which lifts what its agent holds against it.
   */
  publish(tx: Repositories, server: Server, again: boolean, how?: PublishOptions): Promise<Published>;
}

export interface PublishOptions {
  /** The server takes it back after so long unless it is confirmed; 0: never. */
  readonly confirm_ms: number;
}

const oldestAgent = '0.1.0';

export function createManifests({ onlineKey, clock, versions, pace, urls, epoch }: ManifestsDeps): Manifests {
  const unitOf = async (tx: Repositories, server: Server, assignment: ServerAssignment) => {
    const { unit, config_id, version: number } = assignment;
    const version = await tx.configs.findVersion(config_id, number);
    if (!version) throw new ProblemError('config.version-not-found', `config ${config_id} has no version ${number}`);
    // As it was when the server was sent this: a label that changes moves nothing by itself.
    const facts = { server: server.name, ...assignment.facts };
    const wanted = buildFor(version.inputs, facts, assignment.engine);
    const { target, build } = await chooseEngine(tx, server, wanted);
    const rendition = await versions.ensureRendition(tx, version, target, facts);
    const { settings } = variantFor(version.inputs, facts).inputs;
    const config = { digest: rendition.digest, size: rendition.size, config_id, version: number };
    return { made: describeUnit({ name: unit, config, build, rendition, settings }), on_return: settings.on_return };
  };

  return {
    epoch,
    async publish(tx, server, again, { confirm_ms } = { confirm_ms: 0 }) {
      const assignments = await tx.servers.assignments({ serverIds: [server.id] });
      const orders = await Promise.all(assignments.map(async (assignment) => await unitOf(tx, server, assignment)));
      const units = orders.map(({ made }) => made);
      const on_return = orders[0]?.on_return ?? 'enforce';
      const confirm = confirm_ms > 0 ? { confirm_ms } : {};
      const stored = JSON.stringify({ on_return, ...confirm, units });
      const recent = await tx.servers.recentManifests(server.id, 20);
      const head = recent[0];
      if (head && head.epoch === epoch && head.units === stored && !again)
        return { epoch: head.epoch, generation: head.generation, isNew: false };

      const generation = (head?.generation ?? 0) + 1;
      const issued_at = isoTime(clock.now());
      const manifest: Manifest = {
        schema: 1,
        server_id: server.id,
        epoch,
        generation,
        issued_at,
        not_after: null,
        min_agent: oldestAgent,
        ...criticalOf(units, confirm_ms),
        settings: { ...pace, ...managerUrlsFor(server, urls) },
        on_return,
        ...confirm,
        units,
        rollback_of: recent.find(({ units: old }, index) => index > 0 && sameContent(old, stored))?.generation ?? null,
      };
      const body = Buffer.from(JSON.stringify(manifest));
      const envelope = sealEnvelope(payloadTypes.manifest, body, onlineKey.keyid, onlineKey.sign);
      await tx.servers.insertManifest({
        server_id: server.id,
        epoch,
        generation,
        units: stored,
        created_at: issued_at,
        etag: `"${epoch}.${generation}.${hex(sha256(body)).slice(0, 16)}"`,
        envelope: Buffer.from(JSON.stringify(envelope)),
      });
      return { epoch, generation, isNew: true };
    },
  };
}

interface UnitFacts extends Pick<Unit, 'name' | 'config'> {
  readonly build: Unit['engine_build'];
  readonly rendition: Pick<VersionRendition, 'once' | 'profile' | 'files'>;
  readonly settings: ConfigSettings;
}

function describeUnit({ name, config, build, rendition, settings }: UnitFacts): Unit {
  const { once, profile, files } = rendition;
  const { probe, watch, reload = 'auto', probes = [] } = settings;
  const { timeout, ...targets } = probe;
  return {
    name,
    kind: 'sing-box',
    // What the profile was rendered for and newer: what newer ones no longer take, their own check tells.
    engine: `>=${profile.split(' ')[1] ?? '1.12'} <2.0`,
    config,
    ...(build === undefined ? {} : { engine_build: build }),
    ...(probes.length === 0 ? {} : { probes }),
    ...(files.length === 0 ? {} : { files: [...files] }),
    once: [...once],
    reload,
    trial: true,
    probe: { ...targets, timeout_ms: parseDuration(timeout) ?? 3000 },
    watch_ms: parseDuration(watch) ?? 10_000,
  };
}

/** Where an agent that leaves out what it does not know would do harm, it has to refuse. */
function criticalOf(units: readonly Unit[], confirm_ms: number): Pick<Manifest, 'critical'> {
  const critical: AgentFeature[] = [];
  if (units.some(({ engine_build }) => engine_build !== undefined)) critical.push('engine-build');
  if (confirm_ms > 0) critical.push('confirm');
  // A server that is assigned nothing may live on what was imported there.
  if (units.length === 0) critical.push('no-order');
  return critical.length === 0 ? {} : { critical };
}

/** The same bytes to run, whatever version they are called, by the same program; files are named by digest in them. */
const sameContent = (a: string, b: string): boolean => programsIn(a).join() === programsIn(b).join();

const unitsIn = (stored: string): readonly Unit[] => (JSON.parse(stored) as { units: readonly Unit[] }).units;
const programsIn = (stored: string): string[] =>
  unitsIn(stored).map(({ config, engine_build }) => `${config.digest} ${engine_build?.digest ?? ''}`);

/** Whether a stored manifest orders anything. */
export const isOrder = (stored: string): boolean => unitsIn(stored).length > 0;

/** The digests of all content that a stored manifest names, but for engines. */
export const digestsIn = (stored: string): string[] =>
  unitsIn(stored).flatMap((unit) => contentOf(unit).map(({ digest }) => digest));

/** The digests of the engines that a stored manifest names. */
export const enginesIn = (stored: string): string[] =>
  unitsIn(stored).flatMap(({ engine_build }) => (engine_build === undefined ? [] : [engine_build.digest]));
