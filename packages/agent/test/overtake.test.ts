import { rmSync } from 'node:fs';
import path from 'node:path';
import { ProblemError } from '@sbox/core';
import { expect, jest, test } from '@jest/globals';
import type { Order } from '../src/order.ts';
import { directConfig, isCommitted, isRefused, openRig, until } from './reconciler-rig.ts';

jest.setTimeout(30_000);

/** An order whose content never comes. */
const neverComing = (order: Order): Order & { readonly asked: Promise<void> } => {
  const asked = Promise.withResolvers<void>();
  const fetch: Order['blobs']['fetch'] = async (_digest, _maxBytes, signal) => {
    asked.resolve();
    return await new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
  };
  return { ...order, blobs: { fetch }, asked: asked.promise };
};

test('a download that takes for ever stops nothing: a newer order and a rollback overtake it', async () => {
  await using rig = await openRig();
  const agent = await rig.serve();
  const second = neverComing(rig.order({ generation: 2, config: directConfig(rig.port, { log: { level: 'warn' } }) }));
  agent.offer(second);
  await second.asked;
  agent.offer(rig.order({ generation: 3, config: directConfig(rig.port, { log: { level: 'info' } }) }));
  await until(agent, isCommitted(3));

  const fourth = neverComing(rig.order({ generation: 4, config: directConfig(rig.port, { log: { level: 'warn' } }) }));
  agent.offer(fourth);
  await fourth.asked;
  expect(await agent.rollback()).toMatchObject({ generation: 1 });
  expect(agent.state).toMatchObject({ phase: 'held', running: { generation: 1 } });
});

test('what nobody confirms is taken back in time, also while something newer is being fetched', async () => {
  await using rig = await openRig();
  const agent = await rig.serve();
  const order = rig.order({ generation: 2, config: directConfig(rig.port, { log: { level: 'warn' } }) });
  agent.offer({ ...order, confirm_ms: 1000 });
  await until(agent, ({ confirm }) => confirm?.generation === 2);
  const third = neverComing(rig.order({ generation: 3, config: directConfig(rig.port, { log: { level: 'info' } }) }));
  agent.offer(third);
  await third.asked;
  await until(agent, ({ running, phase }) => running?.generation === 1 && phase !== 'progressing');
  expect((await agent.history()).find(({ generation }) => generation === 2)).toMatchObject({
    state: 'rolled-back',
    code: 'apply.unconfirmed',
  });
});

test('a version of which nothing is left on the disk is not gone back to', async () => {
  await using rig = await openRig();
  const agent = await rig.serve();
  agent.offer(rig.order({ generation: 2, config: directConfig(rig.port, { log: { level: 'warn' } }) }));
  const { units } = await until(agent, isCommitted(2));
  const first = (await agent.history()).find(({ generation }) => generation === 1);
  const blob = first?.units[0]?.digest.slice('sha256:'.length) ?? '';
  rmSync(path.join(rig.directory, 'slots', 'edge', '1.1-1', 'config.json'));
  rmSync(path.join(rig.directory, 'blobs', 'sha256', blob));
  await expect(agent.rollback()).rejects.toMatchObject({ code: 'history.empty' });
  expect(agent.state).toMatchObject({ held: null, running: { generation: 2 }, units: [{ pid: units[0]?.pid }] });
});

test('a newer order that comes during a rollback by hand ends the hold', async () => {
  await using rig = await openRig();
  const agent = await rig.serve();
  agent.offer(rig.order({ generation: 2, config: directConfig(rig.port, { log: { level: 'warn' } }) }));
  await until(agent, isCommitted(2));
  const rolledBack = agent.rollback();
  agent.offer(rig.order({ generation: 3, config: directConfig(rig.port, { log: { level: 'info' } }) }));
  expect(await rolledBack).toMatchObject({ generation: 1 });
  expect(await until(agent, isCommitted(3))).toMatchObject({ held: null });
});

test('when an order is refused, nothing of its trial goes on', async () => {
  await using rig = await openRig();
  let inFlight = 0;
  const agent = await rig.open({
    overlay: async ({ slot }) => {
      if (slot.mode === 'live') throw new ProblemError('config.invalid', 'no');
      inFlight += 1;
      await new Promise((resolve) => setTimeout(resolve, 200));
      inFlight -= 1;
      throw new ProblemError('config.invalid', 'no');
    },
  });
  await agent.boot();
  agent.offer(rig.order({ generation: 1, config: directConfig(rig.port) }));
  await until(agent, isRefused('config.invalid'));
  expect(inFlight).toBe(0);
});

test('an order that is offered again does not end its own download', async () => {
  await using rig = await openRig();
  const agent = await rig.boot();
  const order = rig.order({ generation: 1, config: directConfig(rig.port) });
  const asked = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  let fetches = 0;
  const fetch: Order['blobs']['fetch'] = async (...args) => {
    fetches += 1;
    asked.resolve();
    await goOn.promise;
    args[2].throwIfAborted();
    return await order.blobs.fetch(...args);
  };
  agent.offer({ ...order, blobs: { fetch } });
  await asked.promise;
  agent.offer(order);
  goOn.resolve();
  await until(agent, isCommitted(1));
  expect(fetches).toBe(1);
  expect((await agent.history()).map(({ state }) => state)).toEqual(['committed']);
});
