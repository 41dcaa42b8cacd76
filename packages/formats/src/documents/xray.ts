import { ProblemError } from '@sbox/core';
import type { Collector } from '../collector.ts';
import type { Limits } from '../limits.ts';
import type { NodeDraft } from '../node.ts';
import { addParam, spellings, takeFlag, takeText, type Params } from '../params.ts';
import { headerPrefix } from '../protocols/transport.ts';
import { splitEndpoint } from './endpoint.ts';
import { flatten } from './flatten.ts';
import { parseJsonc } from './jsonc.ts';
import { asRecord } from './sing-box-shape.ts';
import { xrayHeaders, xrayNames, xrayNotNodes, xrayProtocols, type XrayProtocol } from './xray-fields.ts';

type Source = Readonly<Record<string, unknown>>;

const maxServers = 64;

/**
 * The outbounds of an Xray or V2Ray configuration, of a list of configurations (each one node with its `remarks`), or
 * one outbound alone.
 * @throws ProblemError `subscription.unknown-format`, `subscription.too-deep`
 */
export function readXray(text: string, collector: Collector, { maxDepth }: Limits): void {
  const json = parseJsonc(text, maxDepth);
  if (json === undefined) {
    throw new ProblemError(
      'subscription.unknown-format',
      'it looks like an Xray configuration, but it is not valid JSON',
    );
  }
  if (Array.isArray(json.value)) {
    const lines = json.linesOf();
    for (const [index, item] of json.value.entries()) {
      collector.startScope();
      readConfig(item, collector, () => lines[index] ?? 1);
    }
    return;
  }
  const lines = json.linesOf('outbounds');
  readConfig(json.value, collector, (index) => lines[index] ?? 1);
}

function readConfig(item: unknown, collector: Collector, lineAt: (index: number) => number): void {
  const config = asRecord(item) ?? {};
  const outbounds = outboundsOf(config).map((outbound) => asRecord(outbound) ?? {});
  const freedom = new Map(
    outbounds.filter(({ protocol }) => protocol === 'freedom').map((outbound) => [outbound['tag'], outbound]),
  );
  const isNode = ({ protocol }: Source): boolean => !xrayNotNodes.has(String(protocol));
  const nodes = outbounds.filter(isNode).length;
  const remarks = typeof config['remarks'] === 'string' ? config['remarks'].trim() : '';
  let isFirst = true;
  for (const [index, outbound] of outbounds.entries()) {
    const tag = typeof outbound['tag'] === 'string' ? outbound['tag'] : '';
    const what = xrayNotNodes.get(String(outbound['protocol']));
    if (what !== undefined) {
      collector.addOther(tag, what);
      continue;
    }
    // Clients show a configuration of a list under its remarks, and mean its first proxy; `proxy` is no name at all.
    const own = tag === 'proxy' ? '' : tag;
    const name = remarks === '' ? own : isFirst || nodes === 1 ? remarks : `${remarks} ${tag}`;
    isFirst = false;
    const servers = serversOf(outbound);
    if (servers.length > maxServers) collector.add(lineAt(index), name, () => refuseServers(servers.length));
    for (const server of servers.slice(0, maxServers)) {
      collector.add(
        lineAt(index),
        `${String(outbound['protocol'])} ${name}`,
        () => readOutbound(outbound, server, { name, freedom }),
        tag,
      );
    }
  }
}

function outboundsOf(config: Source): readonly unknown[] {
  if (Array.isArray(config['outbounds'])) return config['outbounds'];
  if (typeof config['protocol'] === 'string') return [config];
  // V2Ray before version 4.
  return [config['outbound'], config['outboundDetour']].flat().filter((outbound) => outbound !== undefined);
}

/** One outbound may list several servers, each with several users: Xray takes turns, so each pair is a node. */
function serversOf({ settings }: Source): readonly Source[] {
  const { vnext, servers, ...flat } = asRecord(settings) ?? {};
  const list = [vnext ?? servers].flat().map(asRecord);
  const pairs = list.flatMap((server): Source[] => {
    if (server === undefined) return [];
    const { users, ...address } = server;
    const each = Array.isArray(users) ? users.map(asRecord) : [];
    return each.length === 0 ? [address] : each.map((user) => ({ ...address, ...user }));
  });
  return pairs.length === 0 ? [flat] : pairs;
}

/** Each of them is read with all settings of the outbound, so a small text could ask for much work. */
function refuseServers(count: number): never {
  throw new ProblemError(
    'node.malformed',
    `the outbound lists ${count} servers and users, of which the first ${maxServers} are read`,
  );
}

interface Around {
  readonly name: string;
  /** Direct outbounds by their tags; some only cut the first packets into pieces. */
  readonly freedom: ReadonlyMap<unknown, Source>;
}

function readOutbound(outbound: Source, server: Source, { name, freedom }: Around): NodeDraft {
  const protocolName = outbound['protocol'];
  const protocol = typeof protocolName === 'string' ? xrayProtocols.get(protocolName.toLowerCase()) : undefined;
  if (protocol === undefined) {
    throw typeof protocolName === 'string'
      ? new ProblemError(
          'node.unsupported',
          `outbounds of the protocol ${JSON.stringify(protocolName.slice(0, 32))} are not supported`,
        )
      : new ProblemError('node.malformed', 'the outbound is not an object with a protocol');
  }
  const params = serverParams(server, protocol);
  addStream(params, asRecord(outbound['streamSettings']) ?? {});
  if (protocolName !== 'wireguard' && !params.get('security')) params.set('security', 'none');
  for (const key of ['sendThrough', 'targetStrategy']) {
    const value = outbound[key];
    if (typeof value === 'string') params.set(key, value);
  }
  const mux = asRecord(outbound['mux']);
  if (mux?.['enabled'] === true) for (const [key, value] of flatten(mux)) params.set(`mux.${key}`, value);
  const detour = takeText(params, 'sockopt.dialerProxy') ?? proxyTag(outbound);
  const direct = freedom.get(detour);
  const fragment = asRecord(asRecord(direct?.['settings'])?.['fragment']);
  if (fragment !== undefined) params.set('fragment', JSON.stringify(fragment));
  if (name !== '') params.set('name', name);
  const draft = protocol.read(params);
  if (detour !== undefined && direct === undefined) draft.detour = detour;
  return draft;
}

function proxyTag(outbound: Source): string | undefined {
  const tag = asRecord(outbound['proxySettings'])?.['tag'];
  return typeof tag === 'string' && tag !== '' ? tag : undefined;
}

function serverParams(server: Source, { names }: XrayProtocol): Params {
  const isWireguard = Object.hasOwn(names, 'secretKey');
  const table = spellings({
    ...Object.fromEntries(Object.entries(names).map(([from, to]) => [to, [from]])),
    ...(isWireguard ? {} : { server: ['address'] }),
  });
  const params: Params = new Map();
  for (const [key, value] of flatten(server)) {
    const [, peer = '', field = key] = /^(peers\.\d+\.)(.*)$/.exec(key) ?? [];
    if (peer !== '' && field === 'endpoint') addEndpoint(params, peer, value);
    else if (peer === '' || peer === 'peers.0.') addParam(params, field, value, table);
    else params.set(`${peer}${table.get(field.toLowerCase()) ?? field}`, value);
  }
  return params;
}

function addEndpoint(params: Params, peer: string, endpoint: string): void {
  const prefix = peer === 'peers.0.' ? '' : peer;
  const { host, port } = splitEndpoint(endpoint);
  params.set(`${prefix}server`, host);
  params.set(`${prefix}port`, port);
}

function addStream(params: Params, stream: Source): void {
  const { xhttpSettings, splithttpSettings, finalmask, ...rest } = stream;
  const { extra, ...xhttp } = asRecord(xhttpSettings ?? splithttpSettings) ?? {};
  for (const [key, value] of flatten(firstOfRequest({ ...rest, xhttpSettings: xhttp }))) {
    const header = xrayHeaders.exec(key)?.[1];
    if (header !== undefined && header.toLowerCase() !== 'host') params.set(`${headerPrefix}${header}`, value);
    else addParam(params, key, value, xrayNames);
  }
  if (extra !== undefined) params.set('extra', JSON.stringify(extra));
  if (finalmask !== undefined) addFinalmask(params, finalmask);
  if (takeFlag(params, 'grpcSettings.multiMode') === true) params.set('mode', 'multi');
  if (params.get('type') === 'hysteria') renameHysteria(params);
}

/** HTTP camouflage lists several paths and values to pick from; we know one of each. */
function firstOfRequest(stream: Source): Source {
  const copy: Record<string, unknown> = { ...stream };
  for (const name of ['tcpSettings', 'rawSettings']) {
    const settings = asRecord(stream[name]);
    const header = asRecord(settings?.['header']);
    const request = asRecord(header?.['request']);
    if (settings === undefined || header === undefined || request === undefined) continue;
    const headers = Object.entries(asRecord(request['headers']) ?? {}).map(([key, value]) => [
      key,
      key.toLowerCase() === 'host' ? value : [value].flat()[0],
    ]);
    const first = { ...request, path: [request['path']].flat()[0], headers: Object.fromEntries(headers) };
    copy[name] = { ...settings, header: { ...header, request: first } };
  }
  return copy;
}

const hysteriaNames: Readonly<Record<string, string>> = {
  'hysteriaSettings.auth': 'password',
  'hysteriaSettings.up': 'up',
  'hysteriaSettings.down': 'down',
  'hysteriaSettings.udphop.port': 'mport',
  'hysteriaSettings.udphop.interval': 'hop-interval',
};

/** Xray has the password and the speeds of Hysteria 2 in its transport. */
function renameHysteria(params: Params): void {
  if (params.get('version') === '1')
    throw new ProblemError('node.unsupported', 'Xray speaks only version 2 of Hysteria');
  for (const key of ['type', 'version', 'hysteriaSettings.version']) params.delete(key);
  for (const [from, to] of Object.entries(hysteriaNames)) {
    const value = takeText(params, from);
    if (value !== undefined) params.set(to, value);
  }
}

/** Salamander is a mask of UDP to Xray; other masks are kept as links carry them. */
function addFinalmask(params: Params, finalmask: unknown): void {
  const masks = [asRecord(finalmask)?.['udp']].flat().map(asRecord);
  const [mask] = masks;
  const password = asRecord(mask?.['settings'])?.['password'];
  if (masks.length === 1 && mask?.['type'] === 'salamander' && typeof password === 'string') {
    params.set('obfs', 'salamander');
    params.set('obfs-password', password);
  } else params.set('fm', JSON.stringify(finalmask));
}
