import { asRecord, isRecord, tagOf, type Json } from '../document.ts';

/** Names are unique within a kind; endpoints share the names of outbounds. */
export type TagKind =
  'outbound' | 'inbound' | 'dns_server' | 'rule_set' | 'service' | 'http_client' | 'certificate_provider';

/** What has to go along when a tag goes: the name in its list, the field, or the object that cannot do without it. */
export type WhenGone = 'item' | 'field' | 'holder';

/** A place in a sing-box configuration that names something by its tag. */
export interface Reference {
  readonly kind: TagKind;
  readonly tag: string;
  /** As sing-box writes it: `outbounds[3].outbounds[1]`. */
  readonly path: string;
  /** The last step of the place, e.g. `detour`. */
  readonly field: string;
  readonly whenGone: WhenGone;
  readonly holder: Json;
  /** The list that the holder is an item of. */
  readonly siblings: unknown[] | undefined;
}

/**
 * Every place where sing-box 1.12 to 1.14 names a tag, from the `x-tag-reference` marks of `sing-box schema` (1.14.4) and
 * the fields of 1.12 and 1.13 that 1.14 no longer lists. What rules match on (`inbound`) is a condition, not a reference.
 */
const places: readonly (readonly [path: string, kind: TagKind, whenGone: WhenGone])[] = [
  ['outbounds[].outbounds', 'outbound', 'item'],
  ['outbounds[].default', 'outbound', 'field'],
  ['outbounds[].detour', 'outbound', 'holder'],
  ['outbounds[].domain_resolver', 'dns_server', 'field'],
  ['endpoints[].detour', 'outbound', 'holder'],
  ['endpoints[].domain_resolver', 'dns_server', 'field'],
  ['inbounds[].detour', 'inbound', 'field'],
  ['inbounds[].handshake.detour', 'outbound', 'field'],
  ['inbounds[].tls.reality.handshake.detour', 'outbound', 'field'],
  ['inbounds[].tls.certificate_provider', 'certificate_provider', 'field'],
  ['route.final', 'outbound', 'field'],
  ['route.rules[].outbound', 'outbound', 'holder'],
  ['route.rules[].server', 'dns_server', 'field'],
  ['route.rules[].rule_set', 'rule_set', 'item'],
  ['route.rules[].preferred_by', 'outbound', 'item'],
  ['route.rule_set[].download_detour', 'outbound', 'field'],
  ['route.rule_set[].http_client', 'http_client', 'field'],
  ['route.rule_set[].http_client.detour', 'outbound', 'field'],
  ['route.rule_set[].http_client.domain_resolver', 'dns_server', 'field'],
  ['route.default_http_client', 'http_client', 'field'],
  ['route.default_domain_resolver', 'dns_server', 'field'],
  ['http_clients[].detour', 'outbound', 'field'],
  ['http_clients[].domain_resolver', 'dns_server', 'field'],
  ['ntp.detour', 'outbound', 'field'],
  ['ntp.domain_resolver', 'dns_server', 'field'],
  ['dns.servers[].detour', 'outbound', 'field'],
  ['dns.servers[].endpoint', 'outbound', 'holder'],
  ['dns.servers[].service', 'service', 'holder'],
  ['dns.servers[].domain_resolver', 'dns_server', 'field'],
  ['dns.servers[].address_resolver', 'dns_server', 'field'],
  ['dns.rules[].server', 'dns_server', 'holder'],
  ['dns.rules[].rule_set', 'rule_set', 'item'],
  ['dns.rules[].preferred_by', 'dns_server', 'item'],
  ['dns.final', 'dns_server', 'field'],
  ['experimental.clash_api.external_ui_download_detour', 'outbound', 'field'],
];

/** Where things get their tags. */
const definitions: readonly (readonly [path: string, kind: TagKind])[] = [
  ['outbounds', 'outbound'],
  ['endpoints', 'outbound'],
  ['inbounds', 'inbound'],
  ['dns.servers', 'dns_server'],
  ['route.rule_set', 'rule_set'],
  ['services', 'service'],
  ['http_clients', 'http_client'],
  ['certificate_providers', 'certificate_provider'],
];

export interface Definition {
  readonly kind: TagKind;
  readonly tag: string;
  readonly path: string;
  readonly item: Json;
}

/** Everything in the configuration that has a tag. */
export function definitionsIn(config: Json): Definition[] {
  return definitions.flatMap(([path, kind]) => {
    const list = path.split('.').reduce<unknown>((value, key) => asRecord(value)[key], config);
    return (Array.isArray(list) ? list : []).flatMap((item: unknown, index) =>
      isRecord(item) ? tagsOf(item, index).map((tag) => ({ kind, tag, path: `${path}[${index}]`, item })) : [],
    );
  });
}

/** Every name in the configuration, in the order of the table. */
export function referencesIn(config: Json): Reference[] {
  const found: Reference[] = [];
  for (const [path, kind, whenGone] of places) {
    visitPlaces(config, path, (position, field) => {
      const { object, siblings } = position;
      const add = (tag: string, at: string): void => {
        if (tag === '') return;
        found.push({ kind, tag, path: `${position.path}${at}`, field, whenGone, holder: object, siblings });
      };
      const value = object[field];
      if (typeof value === 'string') add(value, field);
      else if (Array.isArray(value)) {
        value.forEach((item: unknown, index) => typeof item === 'string' && add(item, `${field}[${index}]`));
      } else if (isRecord(value) && typeof value['server'] === 'string') add(value['server'], `${field}.server`);
    });
  }
  return found;
}

/** An object on the way through a configuration; `path` ends where a field's name goes on. */
export interface Position {
  readonly object: Json;
  readonly path: string;
  readonly siblings: unknown[] | undefined;
}

/** Calls `atEnd` for every object that may have the last step of `path`, e.g. `route.rules[].outbound`. */
export function visitPlaces(config: Json, path: string, atEnd: (end: Position, field: string) => void): void {
  follow({ object: config, path: '', siblings: undefined }, path.split('.'), atEnd);
}

function follow(position: Position, steps: readonly string[], atEnd: (end: Position, field: string) => void): void {
  const [step = '', ...rest] = steps;
  if (rest.length === 0) {
    atEnd(position, step);
    return;
  }
  const isList = step.endsWith('[]');
  const key = isList ? step.slice(0, -2) : step;
  const value = position.object[key];
  if (!isList) {
    if (isRecord(value)) follow({ object: value, path: `${position.path}${key}.`, siblings: undefined }, rest, atEnd);
    return;
  }
  if (!Array.isArray(value)) return;
  value.forEach((item: unknown, index) => {
    if (!isRecord(item)) return;
    const inner = { object: item, path: `${position.path}${key}[${index}].`, siblings: value };
    follow(inner, rest, atEnd);
    // The rules of a logical rule look like those of the list that it is in.
    if (key === 'rules') follow(inner, steps, atEnd);
  });
}

/** A rule-set of 1.14 may have several tags, one for each language of its file. */
const tagsOf = (item: Json, index: number): string[] =>
  Array.isArray(item['tag']) ? item['tag'].filter((tag) => typeof tag === 'string') : [tagOf(item, index)];
