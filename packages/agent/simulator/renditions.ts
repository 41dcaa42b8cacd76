import { digestOf } from '@sbox/core';
import { sha256 } from '@sbox/daemon/keys';
import type { Prng } from './prng.ts';

/** How an engine behaves that runs a rendition; the first tag of its outbounds says it. */
export type Kind = keyof typeof kinds;

/** What is wrong with a rendition, and how often one like it is published. */
export const kinds = {
  good: { weight: 12, isGood: true },
  /** No JSON at all. */
  invalid: { weight: 1, isGood: false },
  /** The engine's check says no. */
  unchecked: { weight: 1, isGood: false },
  /** The check says yes, the start says no. */
  stillborn: { weight: 1, isGood: false },
  /** Starts and lets nothing through. */
  mute: { weight: 1, isGood: false },
  /** Runs for a while, again and again. */
  mortal: { weight: 1, isGood: false },
  /** Runs, then answers nobody. */
  hanging: { weight: 1, isGood: false },
  /** Needs longer than an engine is given, now and then. */
  slow: { weight: 1, isGood: false },
  /** Does not end when it is asked to. */
  stubborn: { weight: 1, isGood: true },
  /** Lets requests through in a trial only. */
  pretending: { weight: 1, isGood: false },
} as const;

export interface Rendition {
  readonly kind: Kind;
  readonly port: number;
  readonly digest: string;
  readonly bytes: Uint8Array;
}

/** In every rendition, and in what an engine says when it does not start; neither logs nor the status may show it. */
export const secretMark = 'b831381d-6324-4d53-ad4f-8cda48b30811';

/** Never the same bytes twice. */
export function makeRendition(kind: Kind, serial: number, port: number): Rendition {
  const tag = `${kind}.${serial}`;
  const config = {
    log: { level: 'warn' },
    inbounds: [{ type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: port }],
    outbounds: [{ type: 'socks', tag, server: '192.0.2.1', server_port: 1080, username: 'u', password: secretMark }],
    route: { final: tag },
  };
  const text = JSON.stringify(config);
  const bytes = Buffer.from(kind === 'invalid' ? text.slice(0, -2) : text);
  return { kind, port, bytes, digest: digestOf(bytes, sha256) };
}

const kindTable = Object.entries(kinds).map(([name, { weight }]) => ({ name: name as Kind, weight }));

export const pickKind = (random: Prng): Kind => random.weighted(kindTable).name;

/** A port, and whether another program that says the same may have it too. */
export interface Listen {
  readonly port: number;
  readonly isShared: boolean;
}

/** What an engine knows of its file. */
export interface EngineFile {
  readonly kind: Kind;
  readonly listens: readonly Listen[];
  readonly control: { readonly port: number; readonly secret: string } | undefined;
}

interface Config {
  readonly inbounds?: readonly { readonly listen_port?: number; readonly reuse_addr?: boolean }[];
  readonly outbounds?: readonly { readonly tag?: string }[];
  readonly experimental?: { readonly clash_api?: { readonly external_controller?: string; readonly secret?: string } };
}

/** Undefined when it is no configuration. */
export function readEngineFile(bytes: Uint8Array): EngineFile | undefined {
  try {
    const { inbounds = [], outbounds = [], experimental = {} } = JSON.parse(Buffer.from(bytes).toString()) as Config;
    const kind = outbounds.flatMap(({ tag = '' }) => tag.split('.')[0] ?? '').find((name) => name in kinds);
    if (kind === undefined) return undefined;
    const { external_controller: address, secret = '' } = experimental.clash_api ?? {};
    const control = address === undefined ? undefined : { port: Number(address.split(':').at(-1)), secret };
    const listens = inbounds.flatMap(({ listen_port: port, reuse_addr: isShared = false }) =>
      port === undefined ? [] : [{ port, isShared }],
    );
    return { kind: kind as Kind, listens, control };
  } catch {
    return undefined;
  }
}
