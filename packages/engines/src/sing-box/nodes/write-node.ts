import type { Node } from '@sbox/formats';
import { lacking } from './capability-table.ts';
import { isDomain, isRecord, type Json } from '../document.ts';
import { extraComplaint } from './extra.ts';
import { object, unsupported, type Complaint, type Field } from './fields.ts';
import { nodeTable, remote, type NodeRow } from './node-table.ts';
import type { Profile } from '../profile.ts';
import { shadowTlsComplaint } from './shadow-tls.ts';
import { tidyTls } from './tls-fields.ts';

/** One node in the engine's words; the tags around it are not known yet. */
export interface WrittenNode {
  readonly type: string;
  readonly fields: Json;
  /** The outbound in front, which has the address then. */
  readonly shadowTls?: Json;
  /** Tag of what it dials through. */
  readonly detour?: string;
  readonly isEndpoint: boolean;
  readonly isOnce: boolean;
}

/** A row of the table with what is the same for all nodes of the type. */
interface Writer extends NodeRow {
  readonly check: Field;
  readonly order: readonly string[];
}

const writers = new Map<string, Writer>(
  Object.entries(nodeTable).map(([type, row]) => [
    type,
    { ...row, check: object(row.fields, row.required), order: Object.keys(row.fields) },
  ]),
);

/** What a node carries for us, or what becomes something else than a field of its outbound. */
const ownFields = new Set(['id', 'tag', 'type', 'extra', 'once', 'detour', 'shadow_tls']);
const addressFields = new Set(['server', 'server_port']);

/** The fields of one node, or why this engine cannot run it. */
export function writeNode(node: Node, profile: Profile): WrittenNode | Complaint {
  const { type, shadow_tls } = node;
  const writer = writers.get(type);
  const lack = lackingFor(node, writer, profile);
  if (lack !== undefined || writer === undefined) return unsupported(lack ?? `sing-box has no ${type}`);
  const { check, whole, convert, tuning, order } = writer;
  const isEndpoint = type === 'wireguard';
  // A tunnel has addresses in its peers, a realm finds one.
  const hasAddress = !isEndpoint && node.realm === undefined;
  const given = prune(node, (key) => {
    if (ownFields.has(key) || (!hasAddress && addressFields.has(key))) return false;
    const tuned = tuning?.[key];
    return tuned === undefined || lacking('feature', tuned, profile) === undefined;
  });
  if (isRecord(given['tls'])) given['tls'] = named(tidyTls(given['tls']), node.server);
  const complaint =
    check(given, '', profile) ??
    whole?.(given, '', profile) ??
    extraComplaint(node) ??
    (shadow_tls === undefined ? undefined : shadowTlsComplaint(node, shadow_tls, profile));
  if (complaint !== undefined) return complaint;
  const fields: Json = {};
  const front: Json = {};
  for (const key of order) {
    const value = given[key];
    if (value === undefined) continue;
    // Who dials for the node takes over the address, and how to dial.
    const isTaken = shadow_tls !== undefined && key in remote;
    if (isTaken) front[key] = value;
    if (!isTaken || (addressFields.has(key) && namesServer(node))) fields[key] = convert?.[key]?.(value) ?? value;
  }
  const written = { type, fields, isEndpoint, isOnce: isEndpoint || node.once === true };
  return shadow_tls === undefined ? written : { ...written, shadowTls: { ...front, ...prune(shadow_tls) } };
}

/** The name that the engine would take from the address, written out: an address may come to stand there later. */
const named = (tls: Json, server: string): Json =>
  tls['server_name'] === undefined && isDomain(server) ? prune({ ...tls, server_name: server }) : tls;

/** Whether the node says the server's name inside its connection, where nothing else gives it one. */
const namesServer = ({ tls, transport }: Node): boolean => tls?.enabled === true || transport !== undefined;

function lackingFor(node: Node, row: NodeRow | undefined, profile: Profile): string | undefined {
  const feature = row?.needs?.(node);
  return (feature && lacking('feature', feature, profile)) ?? lacking('protocol', node.type, profile);
}

const always = (): boolean => true;

/**
 * A copy without what is switched off or not set: neither says anything, and the engine reads some of it all the same.
 * Fields inside come in one order, so that the same node is the same text whatever it was read from.
 */
function prune(value: object, keeps: (key: string) => boolean = always): Json {
  const given = value as Json;
  const kept: Json = {};
  for (const key of Object.keys(value).toSorted()) {
    const item = given[key];
    if (item === undefined || !keeps(key) || (isRecord(item) && item['enabled'] === false)) continue;
    kept[key] = isRecord(item) ? prune(item) : item;
  }
  return kept;
}
