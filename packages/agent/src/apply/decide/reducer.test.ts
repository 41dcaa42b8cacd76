import { expect, test, describe } from '@jest/globals';
import { makeOrder, watchMs } from '../../../test/reducer-orders.ts';
import { failureOf, openWorld, type Fate, type ReducerWorld } from '../../../test/reducer-rig.ts';
import type { Work } from './effect.ts';

const staged = ['survey', 'accept', 'INTENT', 'stage', 'survey'];
const tookOver = [...staged, 'STAGED', 'check-ports', 'SWITCHED', 'switch', 'verify'];

/** What was done, without what is done now and then. */
const doneIn = ({ names }: ReducerWorld): string[] =>
  names.filter((name) => !['wait', 'look', 'tidy', 'mark'].includes(name));

const slotOf = (world: ReducerWorld): string | undefined => world.running['edge'];
const retryIn = ({ state, monotonic }: ReducerWorld): number => (state.backlog.retry?.at ?? Infinity) - monotonic;

describe('an order', () => {
  test('is followed step by step, watched and committed', () => {
    const world = openWorld(null).offer(makeOrder(1)).settle();
    expect(doneIn(world).slice(3)).toEqual([...tookOver, 'SERVING', 'keep']);
    expect(world.state).toMatchObject({ watched: { version: { generation: 1 } }, journal: { committed: [] } });
    world.pass(watchMs - 1);
    expect(world.state.journal.committed).toEqual([]);
    world.pass(1);
    expect(world.state).toMatchObject({ watched: null, journal: { committed: [{ version: { generation: 1 } }] } });
  });

  test('that was laid out anew at the take-over is written down as it serves', () => {
    const world = openWorld().offer(makeOrder(2));
    world.answerUntil('switch');
    for (const [name, slot] of world.slots)
      world.slots.set(name, { ...slot, journal: { ...slot.journal, overlay: 'another' } });
    world.settle().pass(watchMs);
    const overlays = world.records.map(({ step, units }) => [step, units[0]?.overlay]);
    expect(overlays.slice(-4)).toEqual([
      ['STAGED', 'overlay of sha256:c2'],
      ['SWITCHED', 'overlay of sha256:c2'],
      ['SERVING', 'another'],
      ['HEALTHY', 'another'],
    ]);
  });

  test('of the same content touches nothing', () => {
    const world = openWorld()
      .offer(makeOrder(2, { units: { edge: 'c1' } }))
      .settle();
    expect(doneIn(world)).toEqual(['survey', 'accept', 'HEALTHY']);
    expect(world.state.journal.committed).toMatchObject([{ version: { generation: 2 } }]);
  });

  test('of a server that joined again counts from 1, and what runs goes on until then', () => {
    const world = openWorld();
    for (const generation of [2, 3]) world.offer(makeOrder(generation)).settle().pass(watchMs);
    const before = slotOf(world);
    for (const generation of [1, 3]) {
      world.offer(makeOrder(generation, { server_id: 'srv_again', units: { edge: `new${generation}` } }));
      if (generation === 1) expect(slotOf(world)).toBe(before);
      world.settle().pass(watchMs);
      expect(world.state).toMatchObject({
        nack: null,
        observed: { generation },
        accepted: { manifest: { server_id: 'srv_again', generation } },
      });
      expect(world.state.journal.committed.at(-1)).toMatchObject({ version: { generation } });
    }
  });

  test('of a server that joined again is followed after a crash before its commit', () => {
    const world = openWorld();
    for (const generation of [2, 3]) world.offer(makeOrder(generation)).settle().pass(watchMs);
    world.offer(makeOrder(1, { server_id: 'srv_again', units: { edge: 'new' } })).answerUntil('stage');
    world.restart().settle().pass(watchMs);
    expect(world.state.journal.committed.at(-1)).toMatchObject({
      version: { generation: 1, units: [{ digest: 'sha256:new' }] },
    });
  });

  test('that says something else about a unit than its bytes renews what is known of it', () => {
    const order = makeOrder(2, { units: { edge: 'c1' }, unit: { watch_ms: 1 } });
    expect(doneIn(openWorld().offer(order).settle())).toEqual(['survey', 'accept', 'renew', 'HEALTHY']);
  });

  test('takes units in the order in which they depend on each other, and ends them the other way round', () => {
    const base = makeOrder(1, { units: { a: 'x', b: 'y' } });
    const [a, b] = base.manifest.units;
    if (a === undefined || b === undefined) throw new Error('two units');
    const first = { ...base, manifest: { ...base.manifest, units: [{ ...a, depends_on: ['b'] }, b] } };
    const world = openWorld(null).offer(first).settle();
    const unitsOf = (kind: Work['do']) =>
      world.done.flatMap((work) => (work.do === kind && 'unit' in work ? [work.unit] : []));
    expect(unitsOf('stage')).toEqual(['b', 'a']);
    expect(unitsOf('switch')).toEqual(['b', 'a']);
    world
      .pass(watchMs)
      .offer(makeOrder(2, { units: {} }))
      .settle();
    expect(unitsOf('stop')).toEqual(['a', 'b']);
  });

  test('whose units depend on each other in a circle is refused before anything is done', () => {
    const order = makeOrder(2, { unit: { depends_on: ['edge'] } });
    const world = openWorld().offer(order).settle();
    expect(doneIn(world)).toEqual(['survey', 'REFUSED']);
    expect(world.state.nack).toMatchObject({ code: 'manifest.invalid', sticky: true });
  });
});

describe('hints', () => {
  test('that are doubled change nothing', () => {
    const world = openWorld();
    world.dispatch({ type: 'offer', order: makeOrder(2) });
    world.wake();
    for (let count = 0; count < 100; count += 1) world.dispatch({ type: 'offer', order: makeOrder(2) });
    world.settle();
    expect(doneIn(world)).toEqual([...tookOver, 'SERVING', 'keep']);
    const { watched } = world.state;
    world.offer(makeOrder(2)).settle();
    expect(doneIn(world).slice(12)).toEqual(['survey']);
    expect(world.state.watched).toEqual(watched);
  });

  test('that come in another order end in the newest', () => {
    const world = openWorld();
    for (const generation of [3, 2, 5, 4]) world.dispatch({ type: 'offer', order: makeOrder(generation) });
    world.wake().settle();
    expect(world.state).toMatchObject({
      accepted: { manifest: { generation: 5 } },
      watched: { version: { generation: 5 } },
    });
    expect(world.done.filter((work) => work.do === 'stage')).toHaveLength(1);
  });

  test.each([
    ['older', makeOrder(0)],
    ['of an older epoch', makeOrder(9, { epoch: 0 })],
    ['of the same generation with other content', makeOrder(1, { units: { edge: 'other' } })],
  ])('that are %s are refused', (_, order) => {
    const world = openWorld().offer(order).settle();
    expect(world.state).toMatchObject({
      nack: { code: 'manifest.stale', sticky: true },
      accepted: { manifest: { generation: 1 } },
    });
    expect(world.done.some((work) => ['accept', 'stage', 'switch'].includes(work.do))).toBe(false);
  });

  test('that bring a source for what was missing are followed at once', () => {
    const world = openWorld().offer(makeOrder(2));
    world.answerUntil('stage').restart();
    world.answerUntil('survey').answer();
    for (const generation of [1, 2]) world.dispatch({ type: 'offer', order: makeOrder(generation) });
    world.answerUntil('stage');
    expect(world.pending).toMatchObject({ order: { key: null } });
    world.settle({ stage: failureOf('blob.fetch-failed') });
    expect(world.state).toMatchObject({ nack: null, watched: { version: { generation: 2 } } });
  });

  test('that overtake a download say so to the work that is under way and to what follows', () => {
    const world = openWorld().offer(makeOrder(2));
    world.answerUntil('stage');
    expect(world.dispatch({ type: 'offer', order: makeOrder(3) })).toEqual([{ do: 'wake', download: true }]);
    world.settle({ stage: failureOf('blob.fetch-failed') });
    expect(world.state.watched).toMatchObject({ version: { generation: 3 } });
    expect(world.state.backlog.retry).toBeNull();
  });

  test('that come before the download begins make it begin overtaken', () => {
    const world = openWorld().offer(makeOrder(2));
    world.dispatch({ type: 'offer', order: makeOrder(3) });
    world.answerUntil('stage');
    expect(world.pending).toMatchObject({ isOvertaken: true, order: { manifest: { generation: 2 } } });
  });
});

describe('a failure', () => {
  interface Row {
    readonly work: Work['do'];
    readonly fate: Fate;
    readonly world?: Partial<ReducerWorld>;
    /** After `survey, accept, INTENT`. */
    readonly done: readonly string[];
    readonly nack: Record<string, unknown> | null;
  }
  const stayed = { code: 'apply.probe-failed', stage: 'apply', sticky: false };
  const back = ['stop-others', 'restore', 'ROLLEDBACK'];
  const upTo = (step: string) => tookOver.slice(3, tookOver.indexOf(step) + 1);
  const rows: readonly Row[] = [
    {
      work: 'stage',
      fate: failureOf('blob.fetch-failed'),
      done: ['stage', 'REFUSED'],
      nack: { code: 'blob.fetch-failed', sticky: false },
    },
    { work: 'stage', fate: failureOf('trial.probe-failed'), done: ['stage', 'REFUSED'], nack: { sticky: false } },
    {
      work: 'stage',
      fate: failureOf('engine.check-failed'),
      done: ['stage', 'REFUSED', 'find-strike', 'quarantine'],
      nack: { sticky: true },
    },
    {
      work: 'stage',
      fate: failureOf('trial.start-failed'),
      done: ['stage', 'REFUSED', 'find-strike', 'quarantine'],
      nack: { sticky: false },
    },
    {
      work: 'check-ports',
      fate: failureOf('unit.port-in-use'),
      done: [...upTo('check-ports'), 'REFUSED'],
      nack: { code: 'unit.port-in-use', sticky: false },
    },
    {
      work: 'switch',
      fate: failureOf('apply.refused'),
      done: [...upTo('switch'), 'keep', 'REFUSED', 'find-strike', 'quarantine'],
      nack: { code: 'apply.refused' },
    },
    {
      work: 'switch',
      fate: failureOf('apply.probe-failed'),
      world: { isUplinkDown: true, isFallbackBetter: false },
      done: [...upTo('switch'), 'keep', 'REFUSED'],
      nack: stayed,
    },
    {
      work: 'switch',
      fate: failureOf('apply.failed'),
      done: [...upTo('switch'), ...back, 'find-strike', 'quarantine'],
      nack: { code: 'apply.failed' },
    },
    {
      work: 'verify',
      fate: failureOf('apply.probe-failed'),
      done: [...upTo('verify'), 'ask-uplink', ...back],
      nack: stayed,
    },
    {
      work: 'verify',
      fate: failureOf('apply.probe-failed'),
      world: { isUplinkDown: true, isFallbackBetter: true },
      done: [...upTo('verify'), 'ask-uplink', 'compare', ...back],
      nack: stayed,
    },
    {
      work: 'verify',
      fate: failureOf('apply.probe-failed'),
      world: { isUplinkDown: true, isFallbackBetter: false },
      done: [...upTo('verify'), 'ask-uplink', 'compare', 'SERVING', 'keep'],
      nack: null,
    },
  ];
  test.each(rows)('of $work with $fate.code', ({ work, fate, world: facts = {}, done, nack }) => {
    const world = Object.assign(openWorld(), facts);
    const before = slotOf(world);
    world.offer(makeOrder(2)).settle({ [work]: fate });
    expect(doneIn(world).slice(3)).toEqual(done);
    if (nack === null) {
      expect(world.state).toMatchObject({ nack: null, watched: { version: { generation: 2 } } });
      return;
    }
    expect(world.state.nack).toMatchObject({ generation: 2, ...nack });
    expect(slotOf(world)).toBe(before);
    expect(world.state.watched).toBeNull();
    const { retry, refused } = world.state.backlog;
    expect([retry === null, refused === null]).toEqual(nack['sticky'] === true ? [true, false] : [false, true]);
  });

  test('that happens twice in the same way is final; then the bytes are not staged any more', () => {
    const world = openWorld()
      .offer(makeOrder(2))
      .settle({ stage: failureOf('trial.start-failed', { message: 'pid 12 died' }) });
    expect(retryIn(world)).toBe(60_000);
    world.advance(60_000);
    world.answerUntil('stage');
    world.settle({ stage: failureOf('trial.start-failed', { message: 'pid 77 died' }) });
    expect(world.state.nack).toMatchObject({ sticky: true, retry_at: null });
    world.done = [];
    world.offer(makeOrder(3, { units: { edge: 'c2' } })).settle();
    expect(doneIn(world)).not.toContain('stage');
    expect(world.state.nack).toMatchObject({
      generation: 3,
      code: 'trial.start-failed',
      stage: 'verify',
      sticky: true,
    });
    world.engine = 'sing-box 1.15.0';
    world.pass(30_000);
    expect(world.done.some((work) => work.do === 'stage')).toBe(true);
  });

  test('waits longer and longer, but not for what the running version shares', () => {
    const world = openWorld()
      .offer(makeOrder(2))
      .settle({ stage: failureOf('trial.probe-failed', { isShared: true }) });
    expect([retryIn(world), world.state.backlog.retry?.attempt]).toEqual([60_000, 0]);
    const other = openWorld()
      .offer(makeOrder(2))
      .settle({ stage: failureOf('disk.full') });
    const waits = [retryIn(other)];
    for (let count = 0; count < 2; count += 1) {
      other.advance(retryIn(other));
      other.answer();
      other.settle({ stage: failureOf('disk.full') });
      waits.push(retryIn(other));
    }
    expect(waits).toEqual([60_000, 300_000, 300_000]);
  });

  test('of a later unit brings the earlier ones back, the last one first', () => {
    const world = openWorld(makeOrder(1, { units: { a: 'x', b: 'y' } }));
    const before = world.running;
    world.offer(makeOrder(2, { units: { a: 'x2', b: 'y2' } }));
    world.answerUntil('switch').answer();
    world.answer(failureOf('apply.failed'));
    world.settle();
    expect(world.done.flatMap((work) => (work.do === 'restore' ? [work.unit] : []))).toEqual(['b', 'a']);
    expect(world.running).toEqual(before);
  });

  test('to write something down stops what is new, and nothing that runs', () => {
    const world = openWorld()
      .offer(makeOrder(2))
      .settle({ record: failureOf('disk.full') });
    expect(doneIn(world)).toEqual(['survey', 'accept', 'INTENT', 'REFUSED']);
    expect(world.state).toMatchObject({ nack: { code: 'disk.full', sticky: false }, watched: null });
  });
});
