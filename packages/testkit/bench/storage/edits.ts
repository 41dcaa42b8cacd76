// A config of 50 KB as people have them, and what happens to one in the course of years: each edit is what an operator or
// a provider does at once. The same seed makes the same history.
import { createRandom, type Random } from '../../src/random.ts';

interface Link {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly key: string;
  readonly shortId: string;
  readonly name: string;
}

export interface State {
  readonly links: readonly Link[];
  readonly port: number;
  readonly rules: readonly Record<string, unknown>[];
}

export interface Edit {
  readonly kind: keyof typeof kinds;
  readonly state: State;
}

const nodeCount = 88;
const places = ['Amsterdam', 'Frankfurt', 'Helsinki', 'Warszawa', 'Istanbul', '東京', 'Singapore', 'Los Angeles'];
const hex = (random: Random, length: number): string =>
  Array.from({ length }, () => Math.floor(random() * 16).toString(16)).join('');
const below = (random: Random, end: number): number => Math.floor(random() * end);
const uuid = (random: Random): string => [8, 4, 4, 4, 12].map((length) => hex(random, length)).join('-');
const key = (random: Random): string => Buffer.from(hex(random, 64), 'hex').toString('base64url');

const newLink = (random: Random): Link => ({
  host: `${hex(random, 6)}.example.net`,
  port: 1024 + below(random, 60_000),
  user: uuid(random),
  key: key(random),
  shortId: hex(random, 16),
  name: `${places[below(random, places.length)]} ${below(random, 1000)}`,
});

const linkText = ({ host, port, user, key: secret, shortId, name }: Link): string =>
  `vless://${user}@${host}:${port}?security=tls&sni=${shortId}.example.net&type=ws&path=%2F${secret}` +
  `#${encodeURIComponent(name)}`;

export const subscriptionText = ({ links }: State): string => links.map(linkText).join('\n');

const newRule = (random: Random): Record<string, unknown> => ({
  domain_suffix: Array.from({ length: 1 + below(random, 3) }, () => `${hex(random, 8)}.example`),
  action: 'route',
  outbound: 'direct',
});

const some = <T>(random: Random, items: readonly T[], count: number, change: (item: T) => T): T[] => {
  const chosen = new Set(Array.from({ length: count }, () => below(random, items.length)));
  return items.map((item, index) => (chosen.has(index) ? change(item) : item));
};

/** A node set that is another in 0 to 3 nodes; it stays about as large as it was. */
function swapNodes(random: Random, links: readonly Link[]): readonly Link[] {
  const gone = links.length > nodeCount ? below(random, 4) : below(random, 2);
  const kept = links.filter((_, index) => index % links.length >= gone);
  const come = Math.max(0, Math.min(3, nodeCount - kept.length + below(random, 2)));
  return [...kept, ...Array.from({ length: come }, () => newLink(random))];
}

/** What happens, how often in a hundred, and how. */
const kinds = {
  'nodes come and go, 0 to 3': {
    share: 40,
    apply: (random: Random, state: State): State => ({ ...state, links: swapNodes(random, state.links) }),
  },
  'a rule is added': {
    share: 20,
    apply: (random: Random, state: State): State => ({
      ...state,
      rules: [...state.rules.slice(state.rules.length > 40 ? 1 : 0), newRule(random)],
    }),
  },
  'names are others, 1 to 10': {
    share: 15,
    apply: (random: Random, state: State): State => ({
      ...state,
      links: some(random, state.links, 1 + below(random, 10), (link) => ({ ...link, name: newLink(random).name })),
    }),
  },
  'a port is another': {
    share: 10,
    apply: (random: Random, state: State): State => ({ ...state, port: 2080 + below(random, 1000) }),
  },
  'a refresh, 5 % of the nodes are others': {
    share: 15,
    apply: (random: Random, state: State): State => ({
      ...state,
      links: some(random, state.links, Math.round(nodeCount / 20), () => newLink(random)),
    }),
  },
} as const;

const kindNames = Object.keys(kinds) as Edit['kind'][];

/** The first state, then what each edit makes of it. */
export function* history(seed: number): Generator<Edit, never> {
  const random = createRandom(seed);
  let state: State = {
    links: Array.from({ length: nodeCount }, () => newLink(random)),
    port: 2080,
    rules: Array.from({ length: 10 }, () => newRule(random)),
  };
  for (;;) {
    const at = random() * 100;
    let sum = 0;
    const kind = kindNames.find((name) => (sum += kinds[name].share) > at) ?? 'a port is another';
    yield { kind, state };
    state = kinds[kind].apply(random, state);
  }
}
