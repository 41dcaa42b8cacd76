import type { ReloadPlan, ReloadStrategy, Unit } from '@sbox/protocol';
import type { OverlayReport } from '../engines/overlay-command.ts';

/** One version of a unit as planning sees it. */
export interface PlannedVersion {
  /** Of the rendition. */
  readonly digest: string;
  /** `sing-box 1.14.4`, or any text that changes with the program. */
  readonly engine: string;
  /** Ports that this server decided over what the rendition says. */
  readonly ports: Readonly<Record<string, number>>;
  readonly report: Pick<OverlayReport, 'shape' | 'defaults' | 'mode' | 'unshared' | 'isShared'>;
}

export interface Draining {
  /** Null when it could not be asked. */
  readonly connections: number | null;
  /** It listens where programs connect to, so that no other engine can. */
  readonly holdsPorts: boolean;
}

/** What runs now. */
export interface LiveFacts extends PlannedVersion {
  readonly connections: number | null;
  readonly rssBytes: number | null;
  /** It listens on other ports, and something sends connections there. */
  readonly isShifted: boolean;
  /** It was started with a file behind a link, so that a signal makes it read what the link shows then. */
  readonly isLinked: boolean;
  readonly draining: readonly Draining[];
}

export interface ReloadFacts {
  readonly unit: string;
  readonly live: LiveFacts | undefined;
  readonly wanted: PlannedVersion;
  /** What the order allows. */
  readonly reload: Unit['reload'];
  /** A front in the agent is to hold the ports; it cannot while an engine has them. */
  readonly isFronted: boolean;
  /** Why new connections cannot be moved from one engine to another; undefined when they can. */
  readonly swapProblem: string | undefined;
  /** Undefined when the machine does not say it. */
  readonly memoryAvailableBytes: number | undefined;
}

/** Engines of one unit that may drain at the same time. */
export const maxDraining = 2;

type Facts = ReloadFacts & { readonly live: LiveFacts };

interface Way {
  readonly strategy: ReloadStrategy;
  /** Undefined: it can be done. */
  readonly problem: (facts: Facts) => string | undefined;
  /** Connections that it ends; null when nobody knows. */
  readonly willEnd: (facts: Facts) => number | null;
}

/** Gentlest first. The last one is always possible. */
const ways: readonly Way[] = [
  { strategy: 'no-op', problem: findDifference, willEnd: () => 0 },
  { strategy: 'live', problem: findUntellable, willEnd: () => 0 },
  {
    strategy: 'swap',
    problem: (facts) => findNoSecond(facts) ?? facts.swapProblem ?? findNoFront(facts),
    willEnd: ({ live }) => fewest(live.draining),
  },
  {
    strategy: 'overlap',
    problem: (facts) => findNoSecond(facts) ?? findNoFront(facts) ?? findUnshareable(facts),
    willEnd: ({ live }) => live.connections,
  },
  {
    strategy: 'in-place',
    problem: ({ live, wanted, reload }) =>
      orderProblem(reload, ['auto', 'in-place']) ??
      changedEngine(live, wanted) ??
      (live.isLinked ? undefined : 'the engine was started with a file that cannot be replaced'),
    willEnd: allOfPorts,
  },
  { strategy: 'restart', problem: () => undefined, willEnd: allOfPorts },
];

/**
 * The gentlest way to get from what runs to what should run.
 * @param except ways that turned out to be impossible, and why
 */
export function planReload(facts: ReloadFacts, except: ReadonlyMap<ReloadStrategy, string> = new Map()): ReloadPlan {
  const { unit, live } = facts;
  const refused: { strategy: ReloadStrategy; why: string }[] = [];
  const start = { unit, strategy: 'start', message: 'nothing runs yet', connections: 0, will_end: 0, refused } as const;
  if (live === undefined) return start;
  const known: Facts = { ...facts, live };
  for (const { strategy, problem, willEnd } of ways) {
    const why = except.get(strategy) ?? problem(known);
    if (why !== undefined) {
      refused.push({ strategy, why });
      continue;
    }
    const will_end = willEnd(known);
    const message = `${priceOf(will_end)}${comparison(strategy, will_end, known)}`;
    return { unit, strategy, message, connections: live.connections, will_end, refused };
  }
  return start;
}

const priceOf = (count: number | null): string =>
  count === null ? 'will end all connections' : `will end ${count} connection${count === 1 ? '' : 's'}`;

const pastTense: readonly (readonly [string, string])[] = [
  ['will end', 'ended'],
  ['would end', 'would have ended'],
  ['nothing runs yet', 'nothing ran before'],
];

/** A plan that was carried out, in words for what is over; plans of earlier agents are kept in slots as sentences. */
export const asDone = (plan: ReloadPlan): ReloadPlan => ({
  ...plan,
  message: pastTense.reduce((text, [future, past]) => text.replace(future, past), plan.message),
});

/** What it would cost if the server allowed the gentler way, so that somebody knows whether that is worth it. */
function comparison(strategy: ReloadStrategy, willEnd: number | null, { live }: Facts): string {
  if (willEnd === 0 || !['overlap', 'in-place', 'restart'].includes(strategy)) return '';
  return `; swap would end ${fewest(live.draining) ?? 'some'}`;
}

function findDifference({ live, wanted }: Facts): string | undefined {
  const isSame = live.digest === wanted.digest || isToldSame(live, wanted);
  return (
    changedEngine(live, wanted) ?? changedPorts(live, wanted) ?? (isSame ? undefined : 'the configuration changes')
  );
}

function findUntellable({ live, wanted, reload }: Facts): string | undefined {
  const isTellable = live.report.shape !== undefined && live.report.shape === wanted.report.shape;
  return (
    orderProblem(reload, ['auto', 'in-place']) ??
    changedEngine(live, wanted) ??
    changedPorts(live, wanted) ??
    (isTellable ? undefined : 'more changes than what selectors use, or the mode')
  );
}

const isToldSame = ({ report: a }: PlannedVersion, { report: b }: PlannedVersion): boolean =>
  a.shape !== undefined && a.shape === b.shape && a.mode === b.mode && isSameRecord(a.defaults ?? {}, b.defaults ?? {});

const isSameRecord = (a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): boolean =>
  Object.keys(a).length === Object.keys(b).length &&
  Object.entries(a).every(([key, value]) => Object.hasOwn(b, key) && b[key] === value);

const changedEngine = (live: PlannedVersion, wanted: PlannedVersion): string | undefined =>
  live.engine === wanted.engine ? undefined : `the engine changes from ${live.engine} to ${wanted.engine}`;

const changedPorts = (live: PlannedVersion, wanted: PlannedVersion): string | undefined =>
  isSameRecord(live.ports, wanted.ports) ? undefined : "this server's ports change";

const orderProblem = (reload: Unit['reload'], allowed: readonly Unit['reload'][]): string | undefined =>
  allowed.includes(reload) ? undefined : `the order wants ${reload === 'restart' ? 'a restart' : 'it in place'}`;

const mib = 1024 * 1024;
/** An engine with another configuration may be larger than the one that runs. */
const memoryFor = (rssBytes: number): number => rssBytes * 1.25 + 16 * mib;

/** Why no second engine can run beside the first. */
function findNoSecond({ live, wanted, reload, memoryAvailableBytes }: Facts): string | undefined {
  const byOrder = orderProblem(reload, ['auto']);
  if (byOrder !== undefined) return byOrder;
  const unshared = [...new Set([...(live.report.unshared ?? []), ...(wanted.report.unshared ?? [])])];
  if (unshared.length > 0) return `only one engine at a time can have ${unshared.slice(0, 3).join(', ')}`;
  if (wanted.report.unshared === undefined || live.report.unshared === undefined) {
    return 'the running version was made by an older agent';
  }
  if (live.rssBytes === null || memoryAvailableBytes === undefined) return undefined;
  const needed = memoryFor(live.rssBytes);
  if (needed <= memoryAvailableBytes) return undefined;
  return `a second engine needs about ${Math.ceil(needed / mib)} MiB, ${Math.floor(memoryAvailableBytes / mib)} MiB are left`;
}

/** What ends connections anyhow moves the engine behind the front; an overlap would cost as much, and change nothing. */
const findNoFront = ({ live, isFronted }: Facts): string | undefined =>
  isFronted && !live.isShifted ? 'the running engine has the ports that the front is to hold' : undefined;

function findUnshareable({ live, wanted }: Facts): string | undefined {
  if (live.isShifted) return 'the running engine listens on other ports';
  if (live.draining.some(({ holdsPorts }) => holdsPorts)) return 'an engine that drains has the ports';
  if (wanted.report.isShared !== true) return 'not all of its ports can be shared (UDP, or an engine before 1.12)';
  return live.report.isShared === true ? undefined : 'the running engine does not share its ports';
}

/** Of the engine that has to end when another one is to drain. */
function fewest(draining: readonly Draining[]): number | null {
  if (draining.length < maxDraining) return 0;
  const counts = draining.map(({ connections }) => connections);
  return counts.includes(null) ? null : Math.min(...counts.map(Number));
}

/** What runs, and whatever else stands where the new engine will listen. */
function allOfPorts({ live }: Facts): number | null {
  const counts = [live.connections, ...live.draining.flatMap((one) => (one.holdsPorts ? [one.connections] : []))];
  return counts.includes(null) ? null : counts.reduce<number>((sum, count) => sum + Number(count), 0);
}
