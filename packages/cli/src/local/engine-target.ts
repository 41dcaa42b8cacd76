import { ProblemError } from '@sbox/core';
import { fullTarget, wholeVersion, type EngineTarget } from '@sbox/engines/sing-box/render';
import type { FoundEngine } from '@sbox/engines/sing-box/run';
import { text, type Call } from '../command.ts';
import { findEngine } from '../engine.ts';

export interface Targeted {
  readonly target: EngineTarget;
  /** Undefined where a version was named instead. */
  readonly engine: FoundEngine | undefined;
}

/** Everything that rendering looks at, for questions where no engine is at hand. */
const everyTag = ['with_quic', 'with_utls', 'with_wireguard', 'with_gvisor', 'with_naive_outbound'];
const newestVersion = fullTarget.version;

export const tagsOf = (call: Call): readonly string[] | undefined =>
  text(call, 'tags')
    ?.split(',')
    .map((tag) => tag.trim())
    .filter(Boolean);

/** Words about a version whose differences nobody has written down here yet; undefined for the others. */
export function newerThanKnown(version: string): string | undefined {
  const [line, known] = [version, newestVersion].map((one) => one.split('.').slice(0, 2).map(Number));
  const [major = 0, minor = 0] = line ?? [];
  const [knownMajor = 0, knownMinor = 0] = known ?? [];
  return major > knownMajor || (major === knownMajor && minor > knownMinor)
    ? `sing-box ${version} is newer than what is known here: it is taken for ${knownMajor}.${knownMinor}`
    : undefined;
}

/** @throws ProblemError `command.usage`, `engine.not-found`, `engine.too-old` */
export async function findTarget(call: Call): Promise<Targeted> {
  const version = text(call, 'engineVersion');
  if (version !== undefined) {
    if (!/^\d+\.\d+(?:\.\d+)?(?:[-+].*)?$/.test(version))
      throw new ProblemError('command.usage', `--engine-version ${version} is no version`, {
        fix: `--engine-version ${newestVersion}`,
      });
    const newer = newerThanKnown(version);
    if (newer !== undefined) call.out.talk(`note: ${newer}`);
    const target = { engine: 'sing-box', version: wholeVersion(version), tags: tagsOf(call) ?? [] } as const;
    return { target, engine: undefined };
  }
  const engine = await findEngine(text(call, 'engine'), call.host);
  return { target: { engine: 'sing-box', version: engine.version, tags: engine.tags }, engine };
}

/** For questions that need no engine: where none is found, the newest version with every build tag. */
export async function findAnyTarget(call: Call): Promise<Targeted> {
  if (text(call, 'engine') !== undefined || text(call, 'engineVersion') !== undefined) return await findTarget(call);
  try {
    return await findTarget(call);
  } catch (error) {
    if (!(error instanceof ProblemError) || error.code !== 'engine.not-found') throw error;
    call.out.talk(`no engine was found: taken for sing-box ${newestVersion} with every build tag`);
    return { target: { engine: 'sing-box', version: newestVersion, tags: everyTag }, engine: undefined };
  }
}
