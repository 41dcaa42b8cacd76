import { ProblemError } from '@sbox/core';
import type { EngineTarget } from '@sbox/engines/sing-box/render';
import type { EngineBuild } from '@sbox/protocol';
import type { Repositories } from '../../database/store.ts';
import type { Server } from '../servers/servers-repository.ts';
import type { StoredBuild } from './engines-repository.ts';

/** Used where neither a server nor the manager has an engine: what the packages of sing-box 1.12 are built with. */
export const fallbackTarget: EngineTarget = {
  engine: 'sing-box',
  version: '1.12.0',
  tags: ['with_quic', 'with_utls', 'with_wireguard', 'with_gvisor', 'with_clash_api'],
};

/** What a server runs a config with, and what is rendered for it. */
export interface EngineChoice {
  readonly target: EngineTarget;
  /** Undefined: what the server has itself. */
  readonly build: EngineBuild | undefined;
}

/** What a server's engine is, as rendering wants it; undefined when it has none that is known. */
export function targetOf(engines: Server['engines']): EngineTarget | undefined {
  const engine = engines.find(({ kind }) => kind === 'sing-box');
  return engine && { engine: 'sing-box', version: engine.version, tags: engine.tags };
}

type Machine = Pick<Server, 'name' | 'agent' | 'engines'>;

/**
 * The build of a version for a server's machine; with no version what the server has.
 * @throws ProblemError `engine.build-not-found`
 */
export async function chooseEngine(
  { engines }: Pick<Repositories, 'engines'>,
  server: Machine,
  version: string,
): Promise<EngineChoice> {
  if (version === '') return { target: targetOf(server.engines) ?? fallbackTarget, build: undefined };
  const { digest, size, arch, tags } = pick(await engines.ofVersion(version), server, version);
  return { target: { engine: 'sing-box', version, tags }, build: { digest, size, version, arch } };
}

function pick(builds: readonly StoredBuild[], { name, agent }: Machine, version: string): StoredBuild {
  // A server that never joined did not say what it is: with one build only there is nothing to choose.
  const found = agent === null ? builds.length === 1 && builds[0] : builds.find(({ arch }) => arch === agent.arch);
  if (found) return found;
  const there = builds.map(({ arch }) => arch).join(', ');
  const wanted = agent === null ? `${name} never said what machine it is` : `${name} is ${agent.arch}`;
  throw new ProblemError(
    'engine.build-not-found',
    there === '' ? `there is no sing-box ${version} here` : `sing-box ${version} is here for ${there}; ${wanted}`,
  );
}
