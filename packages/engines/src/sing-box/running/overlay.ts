import { ProblemError } from '@sbox/core';
import { asRecord, isRecord, recordsIn, tagOf, type Json } from '../document.ts';
import { canShareAddress } from './sharing.ts';
import { makeTrial, type Choices } from './trial.ts';

/** What one place to run an engine in adds to a rendition. */
export interface Slot {
  readonly mode: 'live' | 'trial';
  /** Inbound tag to port. Live: the ports of these inbounds change. Trial: only these inbounds open, on loopback. */
  readonly ports: Readonly<Record<string, number>>;
  readonly control: { readonly address: string; readonly secret: string };
  /** Where the engine keeps its choices, if the configuration has any to make; without it, it keeps none. */
  readonly cache_path?: string | undefined;
  readonly log: { readonly output?: string | undefined; readonly level?: string | undefined };
  /** Tags that may be open only once, and so never in a trial. */
  readonly once: readonly string[];
  /** Tags of nodes that a trial tries first: the last choice, then the fastest known. */
  readonly prefer?: readonly string[] | undefined;
  /**
   * Where the files of the rendition are on this machine, by the paths it calls them; a file that is not among them is
   * refused. Without it paths stay as they are, for configurations that were written on the machine itself.
   */
  readonly files?: Readonly<Record<string, string>> | undefined;
  /** Port of the probe inbound, for renditions with no inbound that a probe could use. */
  readonly probe_port?: number | undefined;
  /** Live: the probe inbound is there in any case, because requests to the others may reach another engine. */
  readonly own_probe?: boolean | undefined;
  /** Live: another engine may listen on the same ports, where that is possible (sing-box 1.12 and later). */
  readonly share_ports?: boolean | undefined;
}

/** Where a request has to be sent to go through the engine (HTTP proxy and SOCKS, no credentials). */
export interface Probe {
  readonly tag: string;
  readonly address: string;
  readonly port: number;
  /** In a trial: the selector on the way and the nodes to try through the control API, the first being selected. */
  readonly choices?: Choices;
}

export interface Overlaid {
  readonly config: Json;
  /** The bytes for the engine's file. */
  readonly text: string;
  /** Undefined when no request can go through, or when what it would go through is not what the live engine uses. */
  readonly probe: Probe | undefined;
  /** The inbound that only this engine has; with `own_probe`. */
  readonly own_probe: Probe | undefined;
  /** Tags of endpoints, outbounds, DNS servers and services that the trial does without. */
  readonly removed: string[];
}

/** Reserved for the inbound that the overlay adds. */
export const probeTag = 'sbox-probe';

/** How probes are spoken; an inbound of these types with users or TLS would need credentials. */
const probedTypes = new Set(['mixed', 'socks', 'http']);

/**
 * What an engine runs: the rendition with what belongs to its slot. Pure; the rendition stays as it is. A rendition may
 * be any sing-box configuration, not only a rendered one.
 * @throws ProblemError `config.invalid` when the rendition does not have the shape of a configuration
 */
export function overlay(rendition: unknown, slot: Slot): Overlaid {
  const config = structuredClone(readConfig(rendition));
  const inbounds = recordsIn(config['inbounds']).filter((inbound) => inbound['tag'] !== probeTag);
  const trial = slot.mode === 'trial' ? makeTrial(config, slot) : undefined;

  const opened = trial === undefined ? livePorts(inbounds, slot) : trialInbounds(inbounds, slot);
  let probed = opened.find(({ isProbed }) => isProbed);
  let own: Opened | undefined;
  if (slot.probe_port !== undefined && (probed === undefined || slot.own_probe === true)) {
    own = { tag: probeTag, inbound: loopback(probeTag, slot.probe_port), isProbed: true };
    opened.push(own);
    probed ??= own;
  }
  // In a trial every inbound is an open one, so that any of them is better than no probe.
  if (trial !== undefined) probed ??= opened[0];
  config['inbounds'] = opened.map(({ inbound }) => inbound);

  setFiles(config, slot.files);
  setControl(config, slot);
  setLog(config, slot);
  const probe = probed === undefined || trial?.isProvable === false ? undefined : probeOf(probed, trial?.choices);
  const own_probe = own === undefined || slot.own_probe !== true ? undefined : probeOf(own, undefined);
  return { config, text: `${JSON.stringify(config, null, 2)}\n`, probe, own_probe, removed: trial?.removed ?? [] };
}

/** What is not even shaped like a configuration is refused here; what it says is for the engine's check. */
function readConfig(rendition: unknown): Json {
  if (!isRecord(rendition)) throw new ProblemError('config.invalid', 'a sing-box configuration is one JSON object');
  for (const key of ['inbounds', 'outbounds', 'endpoints', 'services']) {
    const list = rendition[key] ?? [];
    if (Array.isArray(list) && list.every(isRecord)) continue;
    throw new ProblemError('config.invalid', `${key}: must be a list of objects`, { details: { path: key } });
  }
  return rendition;
}

interface Opened {
  readonly tag: string;
  readonly inbound: Json;
  /** A request can be sent through it without credentials. */
  readonly isProbed: boolean;
}

const livePorts = (inbounds: readonly Json[], { ports, share_ports }: Slot): Opened[] =>
  inbounds.map((origin, index) => {
    const tag = tagOf(origin, index);
    const port = portFor(ports, tag);
    const inbound = {
      ...origin,
      ...(port === undefined ? {} : { listen_port: port }),
      ...(share_ports === true && canShareAddress(origin) ? { reuse_addr: true } : {}),
    };
    return { tag, inbound, isProbed: probedTypes.has(String(origin['type'])) && isOpen(inbound) };
  });

const isOpen = (inbound: Json): boolean =>
  typeof inbound['listen_port'] === 'number' &&
  inbound['listen_port'] > 0 &&
  recordsIn(inbound['users']).length === 0 &&
  asRecord(inbound['tls'])['enabled'] !== true;

/** Types without a port of their own take the whole machine's traffic, or connect to someone else's edge. */
const portless = new Set(['tun', 'cloudflared']);

const trialInbounds = (inbounds: readonly Json[], { ports }: Slot): Opened[] =>
  inbounds.flatMap((origin, index) => {
    const tag = tagOf(origin, index);
    const port = portFor(ports, tag);
    const type = String(origin['type']);
    if (port === undefined || portless.has(type)) return [];
    return [{ tag, inbound: loopback(tag, port), isProbed: probedTypes.has(type) }];
  });

const portFor = (ports: Slot['ports'], tag: string): number | undefined =>
  Object.hasOwn(ports, tag) ? ports[tag] : undefined;

const loopback = (tag: string, port: number): Json => ({ type: 'mixed', tag, listen: '127.0.0.1', listen_port: port });

const wildcards = new Set(['', '::', '0.0.0.0']);

function probeOf({ tag, inbound }: Opened, choices: Choices | undefined): Probe {
  const listen = typeof inbound['listen'] === 'string' ? inbound['listen'] : '';
  return {
    tag,
    address: wildcards.has(listen) ? '127.0.0.1' : listen,
    port: Number(inbound['listen_port']),
    ...(choices === undefined ? {} : { choices }),
  };
}

/** @throws ProblemError `config.invalid` for a file that did not come with the rendition */
function setFiles(config: Json, files: Slot['files']): void {
  if (files === undefined) return;
  for (const [index, ruleSet] of recordsIn(asRecord(config['route'])['rule_set']).entries()) {
    if (ruleSet['type'] !== 'local') continue;
    const name = String(ruleSet['path']);
    const file = Object.hasOwn(files, name) ? files[name] : undefined;
    const path = `route.rule_set[${index}].path`;
    if (file === undefined)
      throw new ProblemError('config.invalid', `${path}: no file ${name} came with this version`, {
        details: { path },
        fix: 'Name the rule-set by its address, so that it travels with the version.',
      });
    // Files on the machine are named by their digest, without the ending that the engine would guess the format from.
    ruleSet['format'] ??= name.endsWith('.json') ? 'source' : 'binary';
    ruleSet['path'] = file;
  }
}

function setControl(config: Json, { control, cache_path: wanted }: Slot): void {
  const experimental = asRecord(config['experimental']);
  const { cache_file, ...rest } = experimental;
  const cache_path = remembers(config) ? wanted : undefined;
  config['experimental'] = {
    ...rest,
    clash_api: { ...asRecord(rest['clash_api']), external_controller: control.address, secret: control.secret },
    ...(cache_path === undefined ? {} : { cache_file: { ...asRecord(cache_file), enabled: true, path: cache_path } }),
  };
}

/**
 * Opening the cache file takes the engine 10 ms, in which a reload in place has its ports closed (measured on 1.13 and
 * 1.14), so that only a configuration gets one that has something to remember: choices, the mode, fetched rule-sets.
 */
function remembers(config: Json): boolean {
  const route = asRecord(config['route']);
  const rules = [...recordsIn(route['rules']), ...recordsIn(asRecord(config['dns'])['rules'])];
  return (
    asRecord(config['experimental'])['cache_file'] !== undefined ||
    recordsIn(config['outbounds']).some(({ type }) => type === 'selector') ||
    recordsIn(route['rule_set']).some(({ type }) => type === 'remote') ||
    JSON.stringify(rules).includes('"clash_mode"')
  );
}

/** Without an output the engine writes to the file that the agent gave it; `disabled` stays the user's decision. */
function setLog(config: Json, { log }: Slot): void {
  const { output: _, ...rest } = asRecord(config['log']);
  config['log'] = {
    ...rest,
    ...(log.level === undefined ? {} : { level: log.level }),
    ...(log.output === undefined ? {} : { output: log.output }),
  };
}
