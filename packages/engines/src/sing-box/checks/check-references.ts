import { asRecord, isDomain, isRecord, recordsIn, tagOf, textsIn, type Json } from '../document.ts';
import { listenPorts, type ListenPort } from '../listen-ports.ts';
import { definitionsIn, referencesIn, type Definition, type Reference, type TagKind } from './references.ts';

export type FindingCode =
  | 'config.malformed'
  | 'tag.duplicate'
  | 'reference.missing'
  | 'reference.cycle'
  | 'group.empty'
  | 'port.duplicate'
  | 'resolver.missing'
  | 'detour.direct';

/** Something that `sing-box check` lets through and that ends the engine when it starts, or a rule when it is used. */
export interface Finding {
  readonly code: FindingCode;
  /** As sing-box writes it: `outbounds[3].outbounds[1]`. */
  readonly path: string;
  readonly message: string;
}

const kindNames: Readonly<Record<TagKind, string>> = {
  outbound: 'outbound',
  inbound: 'inbound',
  dns_server: 'DNS server',
  rule_set: 'rule-set',
  service: 'service',
  http_client: 'HTTP client',
  certificate_provider: 'certificate provider',
};

/** Looks at what the parts of a configuration say about each other; what each part says is for the engine's own check. */
export function checkReferences(config: unknown): Finding[] {
  if (!isRecord(config)) return [{ code: 'config.malformed', path: '', message: 'a configuration is one JSON object' }];
  const definitions = definitionsIn(config);
  const references = referencesIn(config);
  return [
    ...duplicateTags(definitions),
    ...missingTags(definitions, references),
    ...emptyGroups(definitions),
    ...strangeDefaults(definitions),
    ...cycles(definitions, references),
    ...doubledPorts([...listenPorts(config), ...controlPorts(config)]),
    ...missingResolver(config),
    ...pointlessDetours(config),
  ];
}

const keyOf = ({ kind, tag }: { kind: TagKind; tag: string }): string => `${kind} ${tag}`;

function duplicateTags(definitions: readonly Definition[]): Finding[] {
  const first = new Map<string, string>();
  return definitions.flatMap((definition) => {
    const { kind, tag, path } = definition;
    const earlier = first.get(keyOf(definition));
    if (earlier === undefined) {
      first.set(keyOf(definition), path);
      return [];
    }
    const message = `the ${kindNames[kind]} "${tag}" exists already at ${earlier}`;
    return [{ code: 'tag.duplicate', path: `${path}.tag`, message }];
  });
}

function missingTags(definitions: readonly Definition[], references: readonly Reference[]): Finding[] {
  const known = new Set(definitions.map(keyOf));
  return references.flatMap((reference) => {
    // The default of a selector is looked at with its members.
    if (known.has(keyOf(reference)) || reference.field === 'default') return [];
    const message = `there is no ${kindNames[reference.kind]} "${reference.tag}"`;
    return [{ code: 'reference.missing', path: reference.path, message }];
  });
}

const isGroup = (item: Json): boolean => item['type'] === 'selector' || item['type'] === 'urltest';

function emptyGroups(definitions: readonly Definition[]): Finding[] {
  return definitions.flatMap(({ kind, tag, path, item }) =>
    kind === 'outbound' && isGroup(item) && (!Array.isArray(item['outbounds']) || item['outbounds'].length === 0)
      ? [{ code: 'group.empty', path: `${path}.outbounds`, message: `the group "${tag}" has no members` }]
      : [],
  );
}

/** A selector whose default is none of its members does not start, even where such an outbound exists. */
function strangeDefaults(definitions: readonly Definition[]): Finding[] {
  return definitions.flatMap(({ kind, tag, path, item }) => {
    const wanted = item['default'];
    if (kind !== 'outbound' || item['type'] !== 'selector' || typeof wanted !== 'string' || wanted === '') return [];
    if (textsIn(item['outbounds']).includes(wanted)) return [];
    const message = `the default of "${tag}" is not one of its members`;
    return [{ code: 'reference.missing', path: `${path}.default`, message }];
  });
}

/** Fields by which one thing must be started before another, as the engine orders them. */
const startOrder = new Set(['outbounds', 'detour', 'domain_resolver', 'address_resolver']);

/** Outbounds wait for their members and detours, DNS servers for their resolvers. */
function cycles(definitions: readonly Definition[], references: readonly Reference[]): Finding[] {
  const owners = new Map(definitions.map((definition) => [definition.item, definition]));
  const next = new Map<string, Reference[]>();
  for (const reference of references) {
    const owner = owners.get(reference.holder);
    if (owner === undefined || owner.kind !== reference.kind || !startOrder.has(reference.field)) continue;
    const waits = next.get(keyOf(owner));
    if (waits === undefined) next.set(keyOf(owner), [reference]);
    else waits.push(reference);
  }
  return findCycles(next);
}

/** Depth first without recursion: a chain may be as long as the configuration. One finding for each cycle met. */
function findCycles(next: ReadonlyMap<string, readonly Reference[]>): Finding[] {
  const findings: Finding[] = [];
  const done = new Set<string>();
  for (const start of next.keys()) {
    if (done.has(start)) continue;
    const path = [{ key: start, at: 0 }];
    const open = new Set([start]);
    for (let step = path.at(-1); step !== undefined; step = path.at(-1)) {
      const reference = next.get(step.key)?.[step.at];
      step.at += 1;
      if (reference === undefined) {
        done.add(step.key);
        open.delete(step.key);
        path.pop();
        continue;
      }
      const key = keyOf(reference);
      if (open.has(key))
        findings.push(
          cycleOf(
            path.map((item) => item.key),
            reference,
          ),
        );
      else if (!done.has(key)) {
        open.add(key);
        path.push({ key, at: 0 });
      }
    }
  }
  return findings;
}

function cycleOf(keys: readonly string[], reference: Reference): Finding {
  const tags = keys.slice(keys.indexOf(keyOf(reference))).map((key) => key.slice(key.indexOf(' ') + 1));
  const message = `${kindNames[reference.kind]}s wait for each other: ${[...tags, reference.tag].join(' -> ')}`;
  return { code: 'reference.cycle', path: reference.path, message };
}

/** The control APIs have no field of their own for it. */
const portPath = ({ path }: ListenPort): string => (path.startsWith('experimental.') ? path : `${path}.listen_port`);

const wildcards = new Set(['', '::', '0.0.0.0']);

const overlaps = (a: ListenPort, b: ListenPort): boolean =>
  a.network === b.network && (a.listen === b.listen || wildcards.has(a.listen) || wildcards.has(b.listen));

function doubledPorts(ports: readonly ListenPort[]): Finding[] {
  const byPort = Map.groupBy(ports, ({ listen_port }) => listen_port);
  return [...byPort.values()].flatMap((same) =>
    same.flatMap((port, index) => {
      const other = same.slice(0, index).find((earlier) => earlier.path !== port.path && overlaps(earlier, port));
      if (other === undefined) return [];
      const where = `${port.network} port ${port.listen_port}`;
      return [{ code: 'port.duplicate', path: portPath(port), message: `${where} is taken by "${other.tag}"` }];
    }),
  );
}

/** Ports of the control APIs, which are texts with an address in front. */
function controlPorts(config: Json): ListenPort[] {
  const { clash_api, v2ray_api } = asRecord(config['experimental']);
  return [
    ['experimental.clash_api', asRecord(clash_api)['external_controller']],
    ['experimental.v2ray_api', asRecord(v2ray_api)['listen']],
  ].flatMap(([path, address]) => {
    const [, listen = '', port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(typeof address === 'string' ? address : '') ?? [];
    const name = String(path);
    return Number(port) > 0
      ? [{ tag: name, path: name, listen, listen_port: Number(port), network: 'tcp' as const }]
      : [];
  });
}

/** A DNS server that goes out through a direct outbound which sets nothing: the engine takes that for a mistake. */
function pointlessDetours(config: Json): Finding[] {
  const empty = new Set(
    recordsIn(config['outbounds']).flatMap((item, index) => {
      const isEmpty = Object.keys(item).every((key) => key === 'type' || key === 'tag');
      return item['type'] === 'direct' && isEmpty ? [tagOf(item, index)] : [];
    }),
  );
  return recordsIn(asRecord(config['dns'])['servers']).flatMap(({ address, detour }, index) => {
    // Before 1.12 a server has an address, and without a detour it goes through the final outbound.
    if (address !== undefined || typeof detour !== 'string' || !empty.has(detour)) return [];
    const message = `a DNS server goes out directly when it has no detour; "${detour}" adds nothing to that`;
    return [{ code: 'detour.direct', path: `dns.servers[${index}].detour`, message }];
  });
}

/** With several DNS servers sing-box does not guess which one finds the address of a node (fatal from 1.13 on). */
function missingResolver(config: Json): Finding[] {
  const servers = recordsIn(asRecord(config['dns'])['servers']);
  if (servers.length < 2 || asRecord(config['route'])['default_domain_resolver'] !== undefined) return [];
  // Before 1.12 a rule said it.
  if (recordsIn(asRecord(config['dns'])['rules']).some((rule) => textsIn(rule['outbound']).includes('any'))) return [];
  const asking = [...recordsIn(config['outbounds']), ...recordsIn(config['endpoints'])].find(
    (item) => item['domain_resolver'] === undefined && textsIn(item['server']).some(isDomain),
  );
  if (asking === undefined) return [];
  const message = `"${String(asking['tag'])}" has a domain as its address, and nothing says which DNS server finds it`;
  return [{ code: 'resolver.missing', path: 'route.default_domain_resolver', message }];
}
