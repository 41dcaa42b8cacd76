import { text as readText } from 'node:stream/consumers';
import * as fs from 'node:fs/promises';
import { ProblemError, digestOf, messageOf } from '@sbox/core';
import { writeAtomic } from '@sbox/daemon/files';
import { sha256 } from '@sbox/daemon/keys';
import {
  defaultsOf,
  findUnshared,
  listenPorts,
  overlay,
  probeTag,
  shapeOf,
  type ListenPort,
  type Choices,
  type Probe,
  type Slot,
} from '@sbox/engines/sing-box/run';

/** What the agent needs to know of an overlaid file that it never parses itself. */
export interface OverlayReport {
  /** Of the written bytes. */
  readonly digest: string;
  readonly probe: (Probe & { readonly type: string }) | null;
  readonly listens: readonly ListenPort[];
  /** Tags that a trial does without. */
  readonly removed: readonly string[];
  /** More nodes that a trial could try, picked evenly from all that there are; only in a trial. */
  readonly spare: readonly string[];
  /** What each selector uses while nobody has chosen; only live, and not in slots of older agents. */
  readonly defaults?: Readonly<Record<string, string>>;
  /** The mode that the rendition begins with. */
  readonly mode?: string;
  /** Digest of all but `defaults` and `mode`, the files by their content; only live. */
  readonly shape?: string;
  /** What only one process can have at a time, in words; only live. */
  readonly unshared?: readonly string[];
  /** Another engine may listen on all of its ports. */
  readonly isShared?: boolean;
  /** The inbound that no other engine has; see `Slot.own_probe`. */
  readonly own_probe?: Probe & { readonly type: string };
}

/**
 * The hidden command `sboxagent overlay IN OUT`: reads the rendition from IN and the slot from standard input, writes the
 * engine's file to OUT (0600) and a report to standard output. A process of its own, because one large configuration
 * needs more memory than the whole agent.
 * @throws ProblemError `config.invalid`, `file.unreadable`
 */
export async function overlayCommand(
  [input = '', output = '']: readonly string[],
  stdin: NodeJS.ReadableStream,
): Promise<OverlayReport> {
  const slot = JSON.parse(await readText(stdin)) as Slot;
  const source = await fs.readFile(input, 'utf8').catch((cause: unknown) => {
    throw new ProblemError('file.unreadable', messageOf(cause), { cause });
  });
  const { report, text } = makeOverlay(source, slot);
  await writeAtomic(output, text);
  return report;
}

/** The overlay of a rendition in its bytes. @throws ProblemError `config.invalid` */
export function makeOverlay(source: string, slot: Slot): { report: OverlayReport; text: string } {
  const rendition = parse(source);
  const { config, probe, own_probe, removed, text } = overlay(
    rendition,
    slot.mode === 'trial' ? openProbed(rendition, slot) : slot,
  );
  const type = probe === undefined ? undefined : typeOf(config['inbounds'], probe.tag);
  return {
    text,
    report: {
      digest: digestOf(Buffer.from(text), sha256),
      probe: probe === undefined ? null : { ...probe, type: type ?? 'mixed' },
      listens: listenPorts(config),
      removed,
      spare: spareOf(rendition, probe?.choices),
      ...(slot.mode === 'live' ? factsOf(rendition as Record<string, unknown>, config, slot) : {}),
      ...(own_probe === undefined ? {} : { own_probe: { ...own_probe, type: 'mixed' } }),
    },
  };
}

/** What planning a take-over needs of a configuration. */
function factsOf(
  rendition: Record<string, unknown>,
  config: Record<string, unknown>,
  slot: Slot,
): Partial<OverlayReport> {
  const { selectors, mode } = defaultsOf(rendition);
  const shape = `${shapeOf(rendition)}\n${JSON.stringify(slot.files ?? null)}`;
  const listening = (config['inbounds'] as Record<string, unknown>[]).filter(({ listen_port }) => Boolean(listen_port));
  return {
    defaults: selectors,
    ...(mode === undefined ? {} : { mode }),
    shape: digestOf(Buffer.from(shape), sha256),
    unshared: findUnshared(rendition, slot.once),
    isShared: listening.every(({ tag, reuse_addr }) => tag === probeTag || reuse_addr === true),
  };
}

function parse(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch (cause) {
    // V8 quotes what stands around the place, and that may be a secret.
    const why = messageOf(cause).replace(/, (?:\.{3})?".*is not valid JSON$/s, '');
    throw new ProblemError('config.invalid', `the rendition is no JSON: ${why}`);
  }
}

/** A trial goes in by the inbound that programs use, on another port: rules may depend on its tag. */
function openProbed(rendition: unknown, slot: Slot): Slot {
  const tag = overlay(rendition, { ...slot, mode: 'live', probe_port: undefined }).probe?.tag;
  if (tag === undefined || tag === probeTag || slot.probe_port === undefined) return slot;
  return { ...slot, ports: { [tag]: slot.probe_port }, probe_port: undefined };
}

/** Two more trials with three nodes each: whole lists begin with nodes that are down. */
const maxSpare = 6;

function spareOf(rendition: unknown, choices: Choices | undefined): string[] {
  const { outbounds } = rendition as { outbounds?: readonly { tag?: unknown; outbounds?: unknown }[] };
  const group = outbounds?.find(({ tag }) => choices !== undefined && tag === choices.selector);
  const members = Array.isArray(group?.outbounds) ? (group.outbounds as string[]) : [];
  const others = members.filter((member) => choices?.members.includes(member) === false);
  const stride = Math.max(1, Math.ceil(others.length / maxSpare));
  return others.filter((_, index) => index % stride === 0).slice(0, maxSpare);
}

const typeOf = (inbounds: unknown, tag: string): string | undefined => {
  const found = (Array.isArray(inbounds) ? inbounds : []).find((item: Record<string, unknown>) => item['tag'] === tag);
  return (found as Record<string, unknown> | undefined)?.['type'] as string | undefined;
};
