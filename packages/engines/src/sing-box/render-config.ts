import { ProblemError, type ProblemCode } from '@sbox/core';
import { uniqueTags, type Node } from '@sbox/formats';
import { isRecord, type Json } from './document.ts';
import { object, unsupported, type Complaint } from './fields.ts';
import { nodeTable, type NodeRow } from './node-table.ts';
import { profileOf, type EngineTarget, type Profile } from './profile.ts';
import { completeSettings, type CompleteSettings, type RenderSettings } from './render-settings.ts';

/** A node that this engine cannot run. */
export interface LeftOut {
  readonly node_id: string;
  readonly tag: string;
  readonly code: ProblemCode;
  /** Names fields, never their values. */
  readonly reason: string;
}

export type SingBoxConfig = Json;

export interface Rendered {
  readonly config: SingBoxConfig;
  /** The bytes to store: the same for the same nodes, profile and settings. */
  readonly text: string;
  readonly left_out: readonly LeftOut[];
  /** Tags of what may be open only once at a time; a trial does without. */
  readonly once: readonly string[];
}

/** Names in every rendition, which `uniqueTags` keeps free. */
const select = 'select';
const auto = 'auto';
const direct = 'direct';

/**
 * Renders nodes into one configuration that sing-box 1.12 to 1.14 understand. A node that the target cannot run is left
 * out and named; none is changed. Paths, control API and cache belong to the overlay.
 * @throws ProblemError `engine.too-old`, `engine.unsupported`, `config.no-nodes`, `settings.invalid`
 */
export function renderSingBox(nodes: readonly Node[], target: EngineTarget, settings: RenderSettings = {}): Rendered {
  const profile = profileOf(target);
  const complete = completeSettings(settings);
  const left_out: LeftOut[] = [];
  const written: Written[] = [];
  // Nodes of several subscriptions may share names; those of the groups below are reserved there.
  for (const node of uniqueTags(nodes)) {
    const result = writeNode(node, profile);
    if ('reason' in result) left_out.push({ node_id: node.id, tag: node.tag, ...result });
    else written.push(result);
  }
  if (written.length === 0) {
    const reasons = left_out.slice(0, 10);
    throw new ProblemError('config.no-nodes', noNodes(nodes.length, target), { details: { left_out: reasons } });
  }
  const config = configOf(written, complete);
  const once = written.filter(({ isOnce }) => isOnce).map(({ tag }) => tag);
  return { config, text: `${JSON.stringify(config, null, 2)}\n`, left_out, once };
}

const noNodes = (given: number, { version }: EngineTarget): string =>
  given === 0 ? 'there are no nodes' : `sing-box ${version} can run none of ${given} nodes`;

interface Written {
  readonly tag: string;
  readonly json: Json;
  readonly isEndpoint: boolean;
  readonly isOnce: boolean;
}

/** What a node carries for us and not for the engine. */
const ownFields = new Set(['id', 'tag', 'type', 'extra', 'once']);

function writeNode(node: Node, profile: Profile): Written | Complaint {
  const row = Object.hasOwn(nodeTable, node.type) ? nodeTable[node.type] : undefined;
  if (row === undefined) return unsupported(`sing-box has no ${node.type}`);
  const lacking = lackingIn(row, node.type, profile);
  if (lacking !== undefined) return lacking;
  const isEndpoint = node.type === 'wireguard';
  const fields = prune(node, (key) => {
    if (ownFields.has(key) || profile.minor < (row.tuning?.[key] ?? 0)) return false;
    // An endpoint has them in its peers.
    return !(isEndpoint && (key === 'server' || key === 'server_port'));
  });
  const complaint =
    object(row.fields, row.required)(fields, '', profile) ?? row.whole?.(fields, '', profile) ?? extraComplaint(node);
  if (complaint !== undefined) return complaint;
  const { tag, type } = node;
  const ordered = Object.keys(row.fields)
    .filter((key) => fields[key] !== undefined)
    .map((key) => [key, fields[key]]);
  return {
    tag,
    json: { type, tag, ...Object.fromEntries(ordered) },
    isEndpoint,
    isOnce: isEndpoint || node.once === true,
  };
}

function lackingIn(row: NodeRow, type: string, profile: Profile): Complaint | undefined {
  if (profile.minor < (row.since ?? 0)) return unsupported(`${type} needs sing-box 1.${row.since} or newer`);
  const tag = row.tags?.find((name) => !profile.tags.has(name));
  return tag === undefined ? undefined : unsupported(`${type} needs a build of sing-box with ${tag}`);
}

/**
 * A copy without what is switched off or not set: neither says anything, and the engine reads some of it all the same.
 * Fields inside come in one order, so that the same node is the same text whatever it was read from.
 */
function prune(value: object, keeps: (key: string) => boolean = () => true): Json {
  const kept = Object.entries(value).flatMap(([key, item]: [string, unknown]): [string, unknown][] => {
    if (item === undefined || !keeps(key) || (isRecord(item) && item['enabled'] === false)) return [];
    return [[key, isRecord(item) ? prune(item) : item]];
  });
  return Object.fromEntries(kept.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function configOf(nodes: readonly Written[], { inbounds, urltest, log_level, dns }: CompleteSettings): SingBoxConfig {
  const tags = nodes.map(({ tag }) => tag);
  const endpoints = nodes.filter(({ isEndpoint }) => isEndpoint).map(({ json }) => json);
  return {
    log: { level: log_level, timestamp: true },
    dns: {
      servers: [
        // The machine's own resolver finds the nodes; what clients ask goes through them.
        { type: 'local', tag: 'local' },
        { tag: 'remote', ...dns.remote, detour: select },
      ],
      final: 'remote',
      ...(dns.strategy === undefined ? {} : { strategy: dns.strategy }),
    },
    ...(endpoints.length === 0 ? {} : { endpoints }),
    inbounds: inbounds.map(({ type, tag, listen, listen_port }) => ({ type, tag, listen, listen_port })),
    outbounds: [
      // A choice made through the control API must not cut the connections that are open.
      { type: 'selector', tag: select, outbounds: [auto, ...tags], default: auto, interrupt_exist_connections: false },
      { type: 'urltest', tag: auto, outbounds: tags, ...urltest, interrupt_exist_connections: false },
      ...nodes.filter(({ isEndpoint }) => !isEndpoint).map(({ json }) => json),
      { type: 'direct', tag: direct },
    ],
    route: {
      rules: [
        // Only DNS is looked into: elsewhere sniffing delays protocols in which the server speaks first.
        { port: 53, action: 'sniff', sniffer: ['dns'] },
        { port: 53, protocol: 'dns', action: 'hijack-dns' },
      ],
      final: select,
      default_domain_resolver: 'local',
    },
  };
}

/** Masks of Xray's (`fm`) change every packet, so that the server would not understand the node without them. */
const maskKey = 'fm';

/** A certificate pinned by its SHA-256, under the names of the formats; sing-box pins keys instead. */
const pinKeys = ['pcs', 'pinSHA256', 'hpkp', 'fingerprint', 'pinned_certchain_sha256'];
const sha256 = /(?:[0-9a-f]{2}:?){32}|^[\w+/-]{43}=?$/i;

function extraComplaint({ extra = {}, tls }: Node): Complaint | undefined {
  if (Object.hasOwn(extra, maskKey)) return unsupported("sing-box has no masks (Xray's fm)");
  // With verification on, the pin is only a second lock; with verification off, it is the only one.
  const isPinned = pinKeys.some((key) => Object.hasOwn(extra, key) && sha256.test(extra[key] ?? ''));
  return isPinned && tls?.insecure === true
    ? unsupported('its certificate is pinned in a way that sing-box cannot check, and nothing else is verified')
    : undefined;
}
