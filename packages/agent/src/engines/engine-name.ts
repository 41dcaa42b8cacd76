import type { EngineBuild } from '@sbox/protocol';

interface NamedEngine {
  readonly kind: string;
  readonly version: string;
  /** Of the program, where an order names it. */
  readonly digest?: string;
}

const shortDigestChars = 'sha256:'.length + 12;

/** What a slot and a strike remember: another build may well take what this one refused. */
export const engineName = ({ kind, version, digest }: NamedEngine): string =>
  digest === undefined ? `${kind} ${version}` : `${kind} ${version} (${digest.slice(0, shortDigestChars)})`;

/** The same of a build that an order names, before it is here. */
export const buildName = (kind: string, { version, digest }: EngineBuild): string =>
  engineName({ kind, version, digest });
