import type { ListenPort } from '@sbox/engines/sing-box/run';

/** One chain of `nft -t list ruleset`. */
export interface Chain {
  /** `inet filter` */
  readonly table: string;
  readonly name: string;
  /** Undefined: only other chains lead here. */
  readonly base: { readonly type: string; readonly hook: string; readonly policy: string } | undefined;
  readonly rules: readonly string[];
}

/** Reads the text that nft prints: tables, in them chains, in them one rule a line (nft(8)). */
export function parseRuleset(text: string): Chain[] {
  const chains: { table: string; name: string; base: Chain['base']; rules: string[] }[] = [];
  let table = '';
  let chain: (typeof chains)[number] | undefined;
  let depth = 0;
  for (const line of text.split('\n').map((raw) => raw.trim())) {
    const [, opened] = /^table (\S+ \S+) \{$/.exec(line) ?? [];
    if (opened !== undefined) table = opened;
    const [, name] = /^chain (\S+) \{$/.exec(line) ?? [];
    if (name !== undefined) chains.push((chain = { table, name, base: undefined, rules: [] }));
    if (line.endsWith('{')) {
      depth += 1;
      continue;
    }
    if (line === '}') {
      depth -= 1;
      if (depth < 2) chain = undefined;
      continue;
    }
    if (chain === undefined || line === '' || line.startsWith('#') || line.startsWith('comment ')) continue;
    const [, type = '', hook = '', policy = 'accept'] =
      /^type (\S+) hook (\S+) .*?priority [^;]+;(?: policy (\S+);)?/.exec(line) ?? [];
    if (type === '') chain.rules.push(line);
    else chain.base = { type, hook, policy };
  }
  return chains;
}

/** Prefix of all tables of agents: what they do to each other's ports is none of this. */
export const tablePrefix = 'sboxagent_';

/**
 * What of other programs' rules stands in the way of a redirect, in a sentence: a rule that redirects what goes to one of
 * these ports or sends traffic there, for the first redirect of a connection is its only one; and a firewall, for it sees
 * the port that was redirected to.
 * @param ownAddresses of this machine
 */
export function findObstacle(
  chains: readonly Chain[],
  ports: readonly ListenPort[],
  ownAddresses: readonly string[],
): string | undefined {
  const foreign = chains.filter(({ table }) => !(table.split(' ')[1] ?? '').startsWith(tablePrefix));
  for (const { table, name, rules } of foreign) {
    const sender = rules.find((rule) => ports.some(({ listen_port }) => sendsTo(rule, listen_port, ownAddresses)));
    if (sender !== undefined) return `the rule "${brief(sender)}" (table ${table}, chain ${name}) sends traffic there`;
    const taker = rules.find((rule) => ports.some((port) => takesFrom(rule, port, ownAddresses)));
    if (taker !== undefined) {
      return `the rule "${brief(taker)}" (table ${table}, chain ${name}) redirects traffic that goes there`;
    }
  }
  if (ports.every(({ listen }) => isLoopback(listen))) return undefined;
  for (const input of foreign.filter(({ base }) => base?.hook === 'input' && base.type === 'filter')) {
    // What is jumped to lies in the same table; which of its chains that is would need a walk that gains little.
    const seen = foreign.filter(
      ({ table, base }) => table === input.table && (base === undefined || base.hook === 'input'),
    );
    const rules = seen.flatMap((chain) => chain.rules);
    if (rules.some((rule) => /\bct status\b.*\bdnat\b.* accept\b/.test(rule))) continue;
    const dropping = input.base?.policy === 'drop' ? 'policy drop' : rules.find(dropsPorts);
    if (dropping === undefined) continue;
    const place = `table ${input.table}, chain ${input.name}: ${brief(dropping)}`;
    return `the firewall may drop what is redirected (${place}); a rule "ct status dnat accept" there would let it pass`;
  }
  return undefined;
}

const isLoopback = (listen: string): boolean => listen.startsWith('127.') || listen === '::1';

const brief = (rule: string): string => (rule.length > 80 ? `${rule.slice(0, 80)}…` : rule);

/** A rule whose target cannot be read may send anywhere. */
function sendsTo(rule: string, port: number, ownAddresses: readonly string[]): boolean {
  if (/\bxt target "?(?:REDIRECT|DNAT)/.test(rule)) return true;
  const [, action, to = ''] = /\b(redirect|dnat)\b(?: ip6?)?(?: to)?(.*)$/.exec(rule) ?? [];
  if (action === undefined) return false;
  const [, v6, v4, first, last] = /^ (?:\[([^\]]*)\]|([\d.]+))?(?::(\d+)(?:-(\d+))?)?(?: |$)/.exec(to) ?? [];
  const address = v6 ?? v4 ?? '';
  if (address !== '' && !isLoopback(address) && !ownAddresses.includes(address)) return false;
  if (first !== undefined) return port >= Number(first) && port <= Number(last ?? first);
  // Without a port it stays the same; a map may hold any.
  return / map |@/.test(to);
}

/** Whether a rule may redirect what goes to this port; what cannot be read of its conditions is taken as met. */
function takesFrom(rule: string, { network, listen_port }: ListenPort, ownAddresses: readonly string[]): boolean {
  // `ct status dnat` only asks.
  const [conditions = '', action] = rule.split(/\b(redirect|dnat(?= (?:ip6? )?(?:addr \. port )?to ))\b/);
  if (action === undefined || /\bfib daddr type != local\b/.test(conditions)) return false;
  const [, daddr = ''] = /\bip6? daddr ([\da-f.:]+)(?: |$)/.exec(conditions) ?? [];
  if (daddr !== '' && !isLoopback(daddr) && !ownAddresses.includes(daddr)) return false;
  const [, protocol] = /\b(tcp|udp) [ds]port\b|\bl4proto (tcp|udp)\b/.exec(conditions)?.filter(Boolean) ?? [];
  if (protocol !== undefined && protocol !== network) return false;
  const [, not, named] = /\bdport (!= )?(\{ [\d, -]*\}|\d+(?:-\d+)?)(?: |$)/.exec(conditions) ?? [];
  if (named === undefined) return true;
  const isNamed = [...named.matchAll(/(\d+)(?:-(\d+))?/g)].some(
    ([, first, last = first]) => listen_port >= Number(first) && listen_port <= Number(last),
  );
  return isNamed === (not === undefined);
}

/** Shifted ports are below what Linux gives to outgoing connections. */
const [firstShifted, lastShifted] = [20_000, 29_999];

/** Whether a rule may drop a connection because of the port that it goes to. */
function dropsPorts(rule: string): boolean {
  if (!/\b(?:drop|reject|queue)\b|\bxt target "?(?:DROP|REJECT)/.test(rule)) return false;
  if (/\bct state invalid\b(?!,)/.test(rule)) return false;
  if (/\b(?:saddr|iifname|iif) (?!!=)/.test(rule) && !/\bdport\b/.test(rule)) return false;
  const [, named = ''] = /\bdport ((?:\d+|[a-z][\w-]*|\{ [^}]*\}))(?: |$)/.exec(rule) ?? [];
  if (named === '' || named.includes('-')) return true;
  return [...named.matchAll(/\d+/g)].some(
    ([number]) => Number(number) >= firstShifted && Number(number) <= lastShifted,
  );
}
