import { expect, test } from '@jest/globals';
import * as fc from 'fast-check';
import { nextStep, verdictOf, type PlanServer, type ServerState } from './deployment-plan.ts';

const verdictMs = 1000;

interface Machine {
  state: ServerState;
  isOnline: boolean;
  isIsland: boolean;
  sentAt: number;
  /** Online when it was told. */
  wasReached: boolean;
}

type Happening =
  | { readonly kind: 'time'; readonly ms: number }
  | { readonly kind: 'connection'; readonly server: number; readonly isOnline: boolean }
  | { readonly kind: 'verdict'; readonly server: number; readonly state: 'serving' | 'committed' | 'refused' };

const happening: fc.Arbitrary<Happening> = fc.oneof(
  fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 700 }) }),
  fc.record({ kind: fc.constant('connection' as const), server: fc.nat(4), isOnline: fc.boolean() }),
  fc.record({
    kind: fc.constant('verdict' as const),
    server: fc.nat(4),
    state: fc.constantFrom('serving' as const, 'committed' as const, 'refused' as const),
  }),
);

const startArbitrary = fc.array(fc.record({ isOnline: fc.boolean(), isIsland: fc.constant(false) }), {
  minLength: 1,
  maxLength: 5,
});

/** Lets a deployment run through what happens, and hands every step that it takes to `look`. */
function play(
  start: readonly { isOnline: boolean; isIsland: boolean }[],
  happenings: readonly Happening[],
  look: (machines: readonly Machine[], step: ReturnType<typeof nextStep>) => void,
): { machines: readonly Machine[]; end: 'running' | 'halt' | 'succeed' } {
  let now = 0;
  const machines = start.map((one): Machine => ({ ...one, state: 'waiting', sentAt: 0, wasReached: false }));
  const settle = (): 'running' | 'halt' | 'succeed' => {
    for (let turn = 0; turn < 10; turn += 1) {
      const servers = machines.map((machine, index): PlanServer => ({
        server_id: String(index),
        state: machine.state,
        is_online: machine.isOnline,
        is_island: machine.isIsland,
        sent_ms_ago: machine.state === 'waiting' ? 0 : now - machine.sentAt,
      }));
      const refused = servers.find(({ state }) => state === 'refused');
      const reason = refused && { server_id: refused.server_id, code: 'apply.refused', detail: '' };
      const step = nextStep(servers, reason, verdictMs);
      look(machines, step);
      if (step.kind === 'wait') return 'running';
      if (step.kind !== 'send') return step.kind;
      for (const id of step.server_ids) {
        const machine = machines[Number(id)] as Machine;
        Object.assign(machine, { state: 'sent', sentAt: now, wasReached: machine.isOnline });
      }
    }
    throw new Error('it never settles');
  };
  let end = settle();
  for (const happened of happenings) {
    if (end !== 'running') break;
    if (happened.kind === 'time') now += happened.ms;
    const machine = happened.kind === 'time' ? undefined : machines[happened.server % machines.length];
    if (machine && happened.kind === 'connection') machine.isOnline = happened.isOnline;
    if (machine && happened.kind === 'verdict' && machine.isOnline && ['sent', 'serving'].includes(machine.state))
      machine.state = happened.state;
    end = settle();
  }
  return { machines, end };
}

test('no second server is told before the first has committed, whatever happens', () => {
  fc.assert(
    fc.property(startArbitrary, fc.array(happening, { maxLength: 40 }), (start, happenings) => {
      play(start, happenings, (machines, step) => {
        if (step.kind !== 'send') return;
        const told = machines.filter(({ state }) => state !== 'waiting');
        const isProved = told.some(({ state }) => state === 'committed');
        expect(isProved || (told.length === 0 && step.server_ids.length === 1)).toBe(true);
        for (const id of step.server_ids) expect(machines[Number(id)]?.state).toBe('waiting');
      });
    }),
  );
});

test('a refusal ends it at once and tells nobody else', () => {
  fc.assert(
    fc.property(startArbitrary, fc.array(happening, { maxLength: 40 }), (start, happenings) => {
      const { machines, end } = play(start, happenings, (all, step) => {
        if (all.some(({ state }) => state === 'refused')) expect(step.kind).toBe('halt');
      });
      if (machines.some(({ state }) => state === 'refused')) expect(end).toBe('halt');
    }),
  );
});

test('it succeeds only when every server that took the version over has committed it', () => {
  fc.assert(
    fc.property(startArbitrary, fc.array(happening, { maxLength: 40 }), (start, happenings) => {
      const { machines, end } = play(start, happenings, () => {});
      if (end !== 'succeed') return;
      expect(machines.filter(({ state }) => state === 'committed').length).toBeGreaterThan(0);
      for (const { state, isOnline } of machines)
        expect(state === 'committed' || (state === 'sent' && !isOnline)).toBe(true);
    }),
  );
});

test('it always comes to an end when time passes and somebody was reached', () => {
  fc.assert(
    fc.property(startArbitrary, fc.array(happening, { maxLength: 40 }), (start, happenings) => {
      const quiet = Array.from({ length: 6 }, () => ({ kind: 'time', ms: 700 }) as const);
      const { machines, end } = play(start, [...happenings, ...quiet], () => {});
      if (machines.some(({ wasReached }) => wasReached)) expect(end).not.toBe('running');
    }),
  );
});

test('servers that never join get their bundle at once, or after the proof when others join', () => {
  const server = (id: string, state: ServerState, is_island: boolean): PlanServer => ({
    server_id: id,
    state,
    is_online: !is_island,
    is_island,
    sent_ms_ago: 0,
  });
  const islands = [server('a', 'waiting', true), server('b', 'waiting', true)];
  expect(nextStep(islands, undefined, verdictMs)).toEqual({ kind: 'send', server_ids: ['a', 'b'] });
  expect(nextStep([server('a', 'sent', true)], undefined, verdictMs)).toEqual({ kind: 'succeed' });
  const mixed = [server('a', 'waiting', true), server('c', 'waiting', false)];
  expect(nextStep(mixed, undefined, verdictMs)).toEqual({ kind: 'send', server_ids: ['c'] });
});

test('a verdict is about one generation only', () => {
  const order = { epoch: 1, generation: 5 };
  const none = { running: null, committed: null, nack: null };
  expect(verdictOf(order, none)).toBe('sent');
  expect(verdictOf(order, { ...none, running: order })).toBe('serving');
  expect(verdictOf(order, { ...none, running: order, committed: order })).toBe('committed');
  expect(verdictOf(order, { ...none, committed: order, nack: order })).toBe('refused');
  expect(verdictOf(order, { ...none, nack: { epoch: 1, generation: 4 } })).toBe('sent');
});

test('what runs under the number of an order, but is none of its content, is no verdict on it', () => {
  const order = { epoch: 1, generation: 5, digests: ['sha256:new'] };
  const said = (digest: string) => ({ running: { ...order, digest }, committed: order, nack: null });
  expect(verdictOf(order, said('sha256:old'))).toBe('sent');
  expect(verdictOf(order, said('sha256:new'))).toBe('committed');
});
