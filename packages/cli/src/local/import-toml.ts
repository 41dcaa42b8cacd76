import { messageOf, ProblemError } from '@sbox/core';
import { parse } from 'smol-toml';
import { isRecord } from './document-file.ts';

/** A recipe as a file has it, and what of the old settings it has no place for. */
export interface Imported {
  readonly recipe: Readonly<Record<string, unknown>>;
  /** Path in the old file, and what to do instead. */
  readonly lost: readonly { readonly path: string; readonly instead: string }[];
}

type Table = Readonly<Record<string, unknown>>;

interface Reading {
  readonly lost: { path: string; instead: string }[];
  readonly subscriptions: unknown[];
  readonly pipeline: unknown[];
  readonly patch: unknown[];
  readonly params: Record<string, unknown>;
  readonly settings: Record<string, unknown>;
}

/**
 * Turns a profile of the older sboxctl (TOML with `[[subscriptions]]`, `[filters]`, `[routing]`, `[export]`, `[agent]`,
 * `[ui]`) into a recipe.
 * @throws ProblemError `recipe.invalid`
 */
export function importToml(text: string): Imported {
  const document = readToml(text);
  const reading: Reading = { lost: [], subscriptions: [], pipeline: [], patch: [], params: {}, settings: {} };
  for (const [key, value] of Object.entries(document)) (sections[key] ?? lose(noPlace))(value, key, reading);
  const { subscriptions, pipeline, patch, params, settings, lost } = reading;
  const hasTemplate = Object.keys(params).length > 0;
  const recipe = {
    ...(subscriptions.length === 0 ? {} : { subscriptions }),
    ...(pipeline.length === 0 ? {} : { pipeline }),
    ...(hasTemplate ? { template: { name: params['inbound'] === 'mixed' ? 'mixed' : 'tun-gateway', params } } : {}),
    ...(Object.keys(settings).length === 0 || hasTemplate ? {} : { settings }),
    ...(patch.length === 0 ? {} : { patch }),
  };
  return { recipe, lost };
}

function readToml(text: string): Table {
  try {
    return parse(text);
  } catch (cause) {
    throw new ProblemError('recipe.invalid', `it is not TOML: ${messageOf(cause).split('\n')[0] ?? ''}`, { cause });
  }
}

type Read = (value: unknown, path: string, reading: Reading) => void;

const noPlace = 'a recipe has no place for it';
const lose =
  (instead: string): Read =>
  (_, path, { lost }) =>
    void lost.push({ path, instead });
/** Reads a table by the keys it may have; what is not among them is lost and named. */
const table =
  (keys: Readonly<Record<string, Read>>, instead = noPlace): Read =>
  (value, path, reading) => {
    if (!isRecord(value)) return lose('it is no table')(value, path, reading);
    for (const [key, item] of Object.entries(value)) (keys[key] ?? lose(instead))(item, `${path}.${key}`, reading);
  };
const ignore: Read = () => undefined;
const words = (value: unknown): string[] =>
  (Array.isArray(value) ? value : [value]).filter((item): item is string => typeof item === 'string' && item !== '');

const step =
  (make: (values: string[]) => object): Read =>
  (value, path, reading) => {
    const values = words(value);
    if (values.length > 0) reading.pipeline.push(make(values));
    else if (Array.isArray(value) ? value.length > 0 : value !== '')
      lose('it is no text and no list of texts')(value, path, reading);
  };
const param =
  (name: string): Read =>
  (value, _, reading) => {
    reading.params[name] = value;
  };
/** True and false say nothing when they are what a recipe does anyway. */
const onlyWhen =
  (wanted: unknown, then: Read): Read =>
  (value, path, reading) => {
    if (value === wanted) then(value, path, reading);
  };

const subscription: Read = (value, path, reading) => {
  if (!isRecord(value)) return lose('it is no table')(value, path, reading);
  const { id, name, url, file, path: local, user_agent, headers, enabled, priority: _, type, ...rest } = value;
  const source = [url, file, local].find((one) => typeof one === 'string' && one !== '');
  if (source === undefined) return lose('it names no address')(value, path, reading);
  if (enabled === false) return lose('it was switched off')(value, path, reading);
  reading.subscriptions.push({
    ...(typeof (name ?? id) === 'string' ? { name: name ?? id } : {}),
    source,
    ...(typeof user_agent === 'string' ? { user_agent } : {}),
    ...(isRecord(headers) ? { headers } : {}),
  });
  if (typeof type === 'string' && !['url', 'file', 'uri_list', 'url_base64', 'url_json'].includes(type))
    lose('formats are recognised by themselves')(type, `${path}.type`, reading);
  for (const key of Object.keys(rest)) lose(noPlace)(rest[key], `${path}.${key}`, reading);
};

const list =
  (each: Read): Read =>
  (value, path, reading) => {
    const items: readonly unknown[] = Array.isArray(value) ? value : [value];
    for (const [index, item] of items.entries()) each(item, `${path}[${index}]`, reading);
  };

const filterWords = (values: readonly string[]): string =>
  values.map((one) => one.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|');

/** Final outbounds that are the engine's own, or whatever the template calls its main group. */
const final: Read = (value, path, reading) => {
  if (value === 'direct') reading.patch.push({ op: 'replace', path: '/route/final', value });
  else if (!['proxy', 'tunnel', 'auto', 'select', 'urltest'].includes(String(value)))
    lose('a patch over the template: {op: replace, path: /route/final, value: TAG}')(value, path, reading);
};

const inboundTypes: Read = (value, path, reading) => {
  const types = words(value);
  const hasTun = types.includes('tun');
  const ports = types.filter((type) => ['socks', 'http', 'mixed'].includes(type));
  if (hasTun) reading.params['inbound'] = ports.length > 0 ? 'both' : 'tun';
  else if (ports.length > 0)
    reading.settings['inbounds'] = ports.map((type, index) => ({
      type,
      tag: index === 0 ? 'in' : `in-${type}`,
      listen_port: 2080 + index,
    }));
  for (const type of types.filter((one) => one !== 'tun' && !ports.includes(one)))
    lose(`an inbound ${type} needs a template of your own`)(type, path, reading);
};

const sections: Readonly<Record<string, Read>> = {
  id: ignore,
  name: ignore,
  description: ignore,
  version: ignore,
  subscriptions: list(subscription),
  filters: table(
    {
      exclude_tags: step((values) => ({ operator: 'filter', drop: { name: `(?i)${filterWords(values)}` } })),
      only_tags: step((values) => ({ operator: 'filter', keep: { name: `(?i)${filterWords(values)}` } })),
      exclude_countries: step((values) => ({ operator: 'filter', drop: { country: values } })),
      only_countries: step((values) => ({ operator: 'filter', keep: { country: values } })),
      exclude_protocols: step((values) => ({ operator: 'filter', drop: { protocol: values } })),
      only_protocols: step((values) => ({ operator: 'filter', keep: { protocol: values } })),
      exclusions: step((values) => ({ operator: 'exclude', names: values })),
      only_enabled: onlyWhen(false, lose('subscriptions that are switched off are left out')),
    },
    'see sboxmgr operator list',
  ),
  routing: table(
    {
      final,
      default_outbound: final,
      default_route: final,
      by_source: lose('a group for each subscription: operator group with match: {subscription: NAME}'),
      custom_routes: lose('the parameters direct_domains, proxy_domains and block_domains of a template'),
    },
    'parameters of a template: sboxmgr template show rule-routing',
  ),
  export: table({
    format: onlyWhen('clash', lose('sboxmgr convert FILE --to clash')),
    inbound_profile: lose('--inbound-types, or a template'),
    inbound_types: inboundTypes,
    output_file: lose('sboxmgr generate --recipe FILE -f OUTPUT'),
    tun_address: (value, path, reading) => param('tun_address')(words(value), path, reading),
    tun_mtu: param('tun_mtu'),
    tun_stack: param('tun_stack'),
    outbound_profile: lose('operators group and filter'),
  }),
  agent: table({}, 'the agent has settings of its own: docs/reference/agent-settings.md'),
  ui: table({}, 'there is nothing to set'),
};
