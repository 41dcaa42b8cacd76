import { asRecord, isRecord, recordsIn, tagOf, textsIn, type Json } from '../document.ts';
import { definitionsIn, referencesIn, type Reference, type TagKind } from '../checks/references.ts';

/** Nodes that a trial may try one after another through the control API. */
export interface Choices {
  readonly selector: string;
  readonly members: readonly string[];
}

export interface Trial {
  readonly removed: string[];
  /** False when a request would go around the proxies that the live engine uses. */
  readonly isProvable: boolean;
  readonly choices: Choices | undefined;
}

interface TrialSlot {
  readonly once: readonly string[];
  readonly prefer?: readonly string[] | undefined;
}

/** A whole fleet tries every new version: it must not open a connection to every node each time. */
const maxChoices = 3;

/** These hold an interface, a directory or an account; a second one stops the first. Endpoints of all types do. */
const onceTypes = new Set(['wireguard', 'bridge', 'tor']);

/** A request through these proves nothing about a proxy. */
const plainTypes = new Set(['direct', 'block', 'dns']);

const groupTypes = new Set(['selector', 'urltest']);

/**
 * Takes out of a configuration what may run only once, together with everything that cannot do without it, and makes its
 * automatic groups hold still. What was broken before stays broken, so that the trial fails where the live engine would.
 * Works in place; the inbounds are left to the overlay.
 */
export function makeTrial(config: Json, slot: TrialSlot): Trial {
  nameUntagged(config);
  const before = createRoutes(config);
  const gone: Gone = { outbound: new Set(), dns_server: new Set(), service: new Set() };
  removeOnce(config, slot, gone);
  const detached = repair(config, gone);
  const after = createRoutes(config);
  holdGroups(config, { before, after, gone }, slot.prefer ?? []);
  const final = chooseFinal(config, { before, after, gone });
  repairDns(config, gone, detached, final);
  return {
    removed: [...gone.outbound, ...gone.dns_server, ...gone.service],
    isProvable: final.isProvable,
    choices: final.tag === undefined ? undefined : choicesFrom(config, final.tag, slot.prefer ?? []),
  };
}

/** Tags that were taken out. */
interface Gone extends Partial<Record<TagKind, Set<string>>> {
  readonly outbound: Set<string>;
  readonly dns_server: Set<string>;
  readonly service: Set<string>;
}

/** Things without a tag are called by their place, which changes when something before them goes. */
function nameUntagged(config: Json): void {
  for (const { kind, tag, item } of definitionsIn(config)) if (kind !== 'rule_set') item['tag'] ??= tag;
}

function removeOnce(config: Json, { once }: TrialSlot, gone: Gone): void {
  const onceTags = new Set(once);
  const isOnce = (item: Json): boolean => onceTypes.has(String(item['type'])) || onceTags.has(String(item['tag']));
  const outbounds = recordsIn(config['outbounds']);
  for (const endpoint of recordsIn(config['endpoints'])) gone.outbound.add(String(endpoint['tag']));
  for (const outbound of outbounds) if (isOnce(outbound)) gone.outbound.add(String(outbound['tag']));
  for (const service of recordsIn(config['services'])) gone.service.add(String(service['tag']));
  if (Array.isArray(config['outbounds'])) config['outbounds'] = outbounds.filter((outbound) => !isOnce(outbound));
  // Certificates are obtained for inbounds with TLS; a trial has none, and asking twice is limited by who issues them.
  for (const key of ['endpoints', 'services', 'certificate_providers']) delete config[key];
  if (isRecord(config['ntp'])) delete config['ntp']['write_to_system'];
  const { clash_api, cache_file } = asRecord(config['experimental']);
  const mode = asRecord(clash_api)['default_mode'];
  config['experimental'] = {
    ...(mode === undefined ? {} : { clash_api: { default_mode: mode } }),
    ...(cache_file === undefined ? {} : { cache_file }),
  };
}

/** Follows what is gone to the end; returns the DNS servers that lost their way out. */
function repair(config: Json, gone: Gone): Json[] {
  const detached: Json[] = [];
  for (;;) {
    const broken = referencesIn(config).filter(({ kind, tag }) => gone[kind]?.has(tag) === true);
    if (broken.length === 0) return detached;
    for (const reference of broken) {
      if (reference.path.startsWith('dns.servers[') && reference.field === 'detour') detached.push(reference.holder);
      cut(reference, gone);
    }
  }
}

function cut({ kind, whenGone, holder, field, siblings, path, tag }: Reference, gone: Gone): void {
  if (whenGone === 'item') {
    const members = textsIn(holder[field]);
    // The first of several takes the others with it: a list may be long, and so may be what is gone.
    if (!members.includes(tag)) return;
    const left = members.filter((member) => gone[kind]?.has(member) !== true);
    holder[field] = left;
    if (left.length > 0) return;
  } else if (whenGone === 'field') {
    delete holder[field];
    return;
  }
  const index = siblings?.indexOf(holder) ?? -1;
  if (index < 0) return;
  siblings?.splice(index, 1);
  if (path.startsWith('outbounds[')) gone.outbound.add(String(holder['tag']));
  if (path.startsWith('dns.servers[')) gone.dns_server.add(String(holder['tag']));
}

/** Where requests go in a configuration. */
interface Routes {
  /** The outbound for what no rule matches; undefined when the engine makes its own direct one. */
  readonly final: string | undefined;
  readonly outbounds: ReadonlyMap<string, Json>;
  /** What a group uses when nobody has chosen. */
  readonly intended: ReadonlyMap<string, string | undefined>;
  reachesProxy(tag: string): boolean;
  /** Tags where a request meets a proxy as the groups stand: the choice of a selector, any member of one that measures. */
  readonly leading: ReadonlySet<string>;
}

function createRoutes(config: Json): Routes {
  const list = recordsIn(config['outbounds']);
  const outbounds = new Map([...recordsIn(config['endpoints']), ...list].map((item) => [String(item['tag']), item]));
  const intended = new Map(
    list.filter(isGroup).map((group) => [String(group['tag']), textsIn(group['default'])[0] || membersOf(group)[0]]),
  );
  const known = new Map<string, boolean>();
  const reachesProxy = (tag: string): boolean => {
    const answer = known.get(tag);
    if (answer !== undefined) return answer;
    // A cycle reaches nothing; the mark keeps the walk finite.
    known.set(tag, false);
    const item = outbounds.get(tag);
    const reaches =
      item !== undefined &&
      (isGroup(item) ? membersOf(item).some(reachesProxy) : !plainTypes.has(String(item['type'])));
    known.set(tag, reaches);
    return reaches;
  };
  // Asked now, because the configuration changes under these objects.
  for (const tag of outbounds.keys()) reachesProxy(tag);
  const final =
    textsIn(asRecord(config['route'])['final'])[0] || (list[0] === undefined ? undefined : tagOf(list[0], 0));
  const leading = new Set<string>();
  const asked = new Set<string>();
  const leads = (tag: string): boolean => {
    const item = outbounds.get(tag);
    if (item === undefined || asked.has(tag)) return leading.has(tag);
    // A cycle leads nowhere; the mark keeps the walk finite.
    asked.add(tag);
    const next = item['type'] === 'urltest' ? membersOf(item) : [intended.get(tag) ?? ''];
    const isLeading = isGroup(item) ? next.some(leads) : reachesProxy(tag);
    if (isLeading) leading.add(tag);
    return isLeading;
  };
  for (const tag of outbounds.keys()) leads(tag);
  return { final, outbounds, intended, reachesProxy, leading };
}

const isGroup = (item: Json): boolean => groupTypes.has(String(item['type']));
const membersOf = (group: Json): string[] => (Array.isArray(group['outbounds']) ? textsIn(group['outbounds']) : []);

interface Change {
  readonly before: Routes;
  readonly after: Routes;
  readonly gone: Gone;
}

/** Still there, and still a way to a proxy if it was one. */
const remains = (tag: string, { before, after, gone }: Change): boolean =>
  !gone.outbound.has(tag) && (after.reachesProxy(tag) || !before.reachesProxy(tag));

/** Groups that measure become selectors over a few nodes, and selectors stand on what a request should try first. */
function holdGroups(config: Json, change: Change, prefer: readonly string[]): void {
  const { before, after } = change;
  for (const group of recordsIn(config['outbounds']).filter(isGroup)) {
    const tag = String(group['tag']);
    const members = membersOf(group);
    const preferred = prefer.filter((name) => members.includes(name));
    // A member may be a group that has a proxy and stands on something else: one that leads to a proxy comes first.
    const leaders = members.filter((name) => after.leading.has(name));
    if (group['type'] === 'urltest') {
      const ranked = [...preferred, ...leaders, ...members.filter(after.reachesProxy), ...members];
      const few = [...new Set(ranked)].slice(0, maxChoices);
      for (const key of Object.keys(group)) delete group[key];
      Object.assign(group, {
        type: 'selector',
        tag,
        outbounds: few,
        ...(few[0] === undefined ? {} : { default: few[0] }),
      });
      continue;
    }
    const intended = before.intended.get(tag);
    const stands = intended !== undefined && remains(intended, change);
    if (stands && (preferred.length === 0 || after.intended.has(intended))) continue;
    const chosen = preferred[0] ?? leaders[0] ?? members.find(after.reachesProxy) ?? members[0];
    if (chosen !== undefined) group['default'] = chosen;
  }
}

interface Final {
  readonly tag: string | undefined;
  readonly isProvable: boolean;
}

function chooseFinal(config: Json, change: Change): Final {
  const { before, after } = change;
  const { final } = before;
  // The groups have been pointed at what should be tried first.
  const held = createRoutes(config);
  if (final === undefined || remains(final, change)) {
    // The first outbound is the final one where none is named, and it may have become another.
    if (after.final !== final) setFinal(config, final);
    const isWeaker = final !== undefined && before.leading.has(final) && !held.leading.has(final);
    return { tag: final, isProvable: !isWeaker };
  }
  // A group comes before a single node.
  const proxies = [...held.outbounds.keys()].filter((name) => held.leading.has(name));
  const tag = proxies.find((name) => held.intended.has(name)) ?? proxies[0];
  setFinal(config, tag);
  return { tag, isProvable: tag !== undefined };
}

function setFinal(config: Json, tag: string | undefined): void {
  if (tag !== undefined) config['route'] = { ...asRecord(config['route']), final: tag };
}

const resolverFields = new Set(['domain_resolver', 'default_domain_resolver', 'address_resolver']);

/** Gives the DNS what it lost: a default server that can answer, and a way out through a proxy that is still there. */
function repairDns(config: Json, gone: Gone, detached: readonly Json[], final: Final): void {
  const resolvers = new Set(referencesIn(config).flatMap(({ field, tag }) => (resolverFields.has(field) ? [tag] : [])));
  // The engine refuses a detour to a direct outbound that sets nothing; without a detour the server is asked directly.
  const isWay = final.isProvable && final.tag !== undefined && createRoutes(config).reachesProxy(final.tag);
  for (const server of detached) {
    // A server that finds the addresses of nodes cannot be asked through those nodes.
    if (isWay && !resolvers.has(String(server['tag']))) server['detour'] = final.tag;
  }
  if (gone.dns_server.size === 0) return;
  const dns = asRecord(config['dns']);
  const servers = recordsIn(dns['servers']);
  const answering = servers.find((server) => server['type'] !== 'fakeip') ?? { type: 'local', tag: localResolver };
  const tag = answering['tag'];
  config['dns'] = { final: tag, ...dns, servers: servers.includes(answering) ? servers : [...servers, answering] };
  config['route'] = { default_domain_resolver: tag, ...asRecord(config['route']) };
}

const localResolver = 'sbox-local';

/** The group that decides, on the way that a request takes, and what it may be pointed at. */
function choicesFrom(config: Json, final: string, prefer: readonly string[]): Choices | undefined {
  const routes = createRoutes(config);
  const way = wayFrom(final, routes);
  const [selector, chosen] = [way.at(-2), way.at(-1)];
  if (selector === undefined || chosen === undefined) return undefined;
  const members = membersOf(routes.outbounds.get(selector) ?? {});
  const others = [...prefer.filter((name) => members.includes(name)), ...members.filter(routes.reachesProxy)];
  return { selector, members: [...new Set([chosen, ...others])].slice(0, maxChoices) };
}

/** The groups that a request meets one after another, and the outbound at their end. */
function wayFrom(tag: string, { intended }: Routes): string[] {
  const way = [tag];
  for (let next = intended.get(tag); next !== undefined && !way.includes(next); next = intended.get(next))
    way.push(next);
  return way;
}
