import { expect, test } from '@jest/globals';
import { reloadStrategies, type ReloadStrategy } from '@sbox/protocol';
import fc from 'fast-check';
import { asDone, planReload, type LiveFacts, type PlannedVersion, type ReloadFacts } from './plan.ts';

const version: PlannedVersion = {
  digest: 'sha256:a',
  engine: 'sing-box 1.14.4',
  ports: {},
  report: { shape: 's', defaults: { select: 'a' }, mode: 'rule', unshared: [], isShared: true },
};
const live: LiveFacts = {
  ...version,
  connections: 214,
  rssBytes: 40e6,
  isShifted: false,
  isLinked: true,
  draining: [],
};
const other: PlannedVersion = { ...version, digest: 'sha256:b', report: { ...version.report, shape: 't' } };
const facts: ReloadFacts = {
  unit: 'edge',
  live,
  wanted: other,
  reload: 'auto',
  isFronted: false,
  swapProblem: undefined,
  memoryAvailableBytes: 1e9,
};
const nft = 'nft is not installed';
const tun = { ...other, report: { ...other.report, unshared: ['inbound "tun-in" (tun)'] } };
const old = { ...other, report: { ...other.report, isShared: false } };
const chosen = { ...version, digest: 'sha256:c', report: { ...version.report, defaults: { select: 'b' } } };

test.each<[string, Partial<ReloadFacts>, ReloadStrategy, string]>([
  ['nothing runs', { live: undefined }, 'start', 'nothing runs yet'],
  ['the same bytes', { wanted: version }, 'no-op', 'will end 0 connections'],
  ['other bytes, the same meaning', { wanted: { ...version, digest: 'sha256:d' } }, 'no-op', 'will end 0 connections'],
  ['another choice', { wanted: chosen }, 'live', 'will end 0 connections'],
  [
    'another choice, and the order wants a restart',
    { wanted: chosen, reload: 'restart' },
    'restart',
    'will end 214 connections; swap would end 0',
  ],
  ['another configuration', {}, 'swap', 'will end 0 connections'],
  ['another engine', { wanted: { ...version, engine: 'sing-box 1.15.0' } }, 'swap', 'will end 0 connections'],
  ['no nftables', { swapProblem: nft }, 'overlap', 'will end 214 connections; swap would end 0'],
  ['a front, the engine has the ports', { isFronted: true }, 'in-place', 'will end 214 connections; swap would end 0'],
  [
    'a front before the engine',
    { isFronted: true, live: { ...live, isShifted: true } },
    'swap',
    'will end 0 connections',
  ],
  ['no nftables, UDP', { swapProblem: nft, wanted: old }, 'in-place', 'will end 214 connections; swap would end 0'],
  ['tun', { wanted: tun }, 'in-place', 'will end 214 connections; swap would end 0'],
  [
    'tun and another engine',
    { wanted: { ...tun, engine: 'x' } },
    'restart',
    'will end 214 connections; swap would end 0',
  ],
  ['the order wants it in place', { reload: 'in-place' }, 'in-place', 'will end 214 connections; swap would end 0'],
  ['little memory', { memoryAvailableBytes: 50e6 }, 'in-place', 'will end 214 connections; swap would end 0'],
  ['other ports of the server', { wanted: { ...version, ports: { in: 1 } } }, 'swap', 'will end 0 connections'],
  [
    'an engine that cannot be asked',
    { live: { ...live, connections: null }, wanted: tun },
    'in-place',
    'will end all connections; swap would end 0',
  ],
])('%s', (_, more, strategy, message) => {
  expect(planReload({ ...facts, ...more })).toMatchObject({ strategy, message });
});

test.each([
  ['will end 214 connections; swap would end 0', 'ended 214 connections; swap would have ended 0'],
  ['will end all connections; swap would end some', 'ended all connections; swap would have ended some'],
  ['nothing runs yet', 'nothing ran before'],
])('%s: once that is done, it is said so', (message, done) => {
  const plan = planReload(facts);
  expect(asDone({ ...plan, message })).toEqual({ ...plan, message: done });
  expect(asDone(asDone({ ...plan, message })).message).toBe(done);
});

test('why the gentler ways were not possible is said of each', () => {
  expect(planReload({ ...facts, swapProblem: nft, wanted: tun }).refused).toEqual([
    { strategy: 'no-op', why: 'the configuration changes' },
    { strategy: 'live', why: 'more changes than what selectors use, or the mode' },
    { strategy: 'swap', why: 'only one engine at a time can have inbound "tun-in" (tun)' },
    { strategy: 'overlap', why: 'only one engine at a time can have inbound "tun-in" (tun)' },
  ]);
});

test('a third engine that would drain costs the connections of the one with the fewest', () => {
  const draining = [30, 4].map((connections) => ({ connections, holdsPorts: connections === 30 }));
  expect(planReload({ ...facts, live: { ...live, draining } })).toMatchObject({ strategy: 'swap', will_end: 4 });
  const inPlace = planReload({ ...facts, live: { ...live, draining, isShifted: true }, wanted: tun });
  expect(inPlace).toMatchObject({ strategy: 'in-place', will_end: 244 });
});

const versionArb: fc.Arbitrary<PlannedVersion> = fc.record({
  digest: fc.constantFrom('a', 'b'),
  engine: fc.constantFrom('1.12', '1.14'),
  ports: fc.constantFrom({}, { in: 1 }),
  report: fc.record(
    {
      shape: fc.constantFrom('s', 't'),
      defaults: fc.constantFrom({ select: 'a' }, { select: 'b' }),
      mode: fc.constantFrom('rule', 'global'),
      unshared: fc.constantFrom([], ['tun']),
      isShared: fc.boolean(),
    },
    { requiredKeys: [] },
  ),
});
const countArb = fc.option(fc.nat(1000));
const liveArb: fc.Arbitrary<LiveFacts> = fc
  .tuple(
    versionArb,
    fc.record({
      connections: countArb,
      rssBytes: countArb,
      isShifted: fc.boolean(),
      isLinked: fc.boolean(),
      draining: fc.array(fc.record({ connections: countArb, holdsPorts: fc.boolean() }), { maxLength: 2 }),
    }),
  )
  .map(([one, more]) => ({ ...one, ...more }));
const factsArb: fc.Arbitrary<ReloadFacts> = fc.record({
  unit: fc.constant('edge'),
  live: fc.option(liveArb, { nil: undefined }),
  wanted: versionArb,
  reload: fc.constantFrom('auto', 'in-place', 'restart'),
  isFronted: fc.boolean(),
  swapProblem: fc.constantFrom(undefined, nft),
  memoryAvailableBytes: fc.constantFrom(undefined, 0, 1e12),
});

test('whatever the facts, a plan keeps to them', () => {
  fc.assert(
    fc.property(factsArb, (any) => {
      const { strategy, refused, will_end, connections } = planReload(any);
      if (any.live === undefined) return expect(strategy).toBe('start');
      // Each gentler way was refused with a reason, in order, and no harsher one is named.
      const gentler = reloadStrategies.slice(0, reloadStrategies.indexOf(strategy as ReloadStrategy));
      expect(refused.map((one) => one.strategy)).toEqual(gentler);
      expect(refused.every(({ why }) => why.length > 0)).toBe(true);
      expect(connections).toBe(any.live.connections);
      const second = ['swap', 'overlap'].includes(strategy);
      const unshared = [any.live.report.unshared, any.wanted.report.unshared];
      if (second) expect([...unshared, any.reload]).toEqual([[], [], 'auto']);
      if (strategy === 'swap') expect(any.swapProblem).toBeUndefined();
      if (strategy === 'live') expect(any.live.report.shape).toBe(any.wanted.report.shape);
      if (['no-op', 'live', 'in-place'].includes(strategy)) expect(any.live.engine).toBe(any.wanted.engine);
      if (any.reload === 'restart') expect(['no-op', 'restart']).toContain(strategy);
      if (['no-op', 'live'].includes(strategy)) expect(will_end).toBe(0);
      // A way that failed is not taken again.
      const next = planReload(any, new Map([[strategy as ReloadStrategy, 'it failed']]));
      if (strategy !== 'restart') expect(next.refused).toContainEqual({ strategy, why: 'it failed' });
    }),
    { numRuns: 500 },
  );
});
