import { expect, jest, test } from '@jest/globals';
import type { Order } from '../src/order.ts';
import { directConfig, isCommitted, isRefused, openRig, requestThrough, until, type Rig } from './reconciler-rig.ts';

jest.setTimeout(30_000);

function second(rig: Rig, confirm_ms: number): Order {
  const order = rig.order({ generation: 2, config: directConfig(rig.port, { log: { level: 'warn' } }) });
  return { ...order, manifest: { ...order.manifest, confirm_ms } };
}

test('a version that nobody confirms is taken back at the end of its time, and not tried again', async () => {
  await using rig = await openRig();
  const agent = await rig.serve({ settings: { retry_ms: [20] } });
  agent.offer(second(rig, 700));
  const { confirm } = await until(agent, (state) => state.confirm !== null);
  expect(confirm).toMatchObject({ epoch: 1, generation: 2, until: expect.any(String) });
  const { nack } = await until(agent, isRefused('apply.unconfirmed'));
  expect(nack).toMatchObject({ generation: 2, stage: 'watch', sticky: true, retry_at: null });
  expect(agent.state).toMatchObject({ confirm: null, running: { generation: 1 }, committed: { generation: 1 } });
  expect(await requestThrough(rig.port, rig.origin.url)).toBe(204);
  agent.offer(second(rig, 700));
  agent.offer(rig.order({ generation: 3, config: directConfig(rig.port, { log: { level: 'warn' } }) }));
  await until(agent, isCommitted(3));
});

test('a version that somebody confirms stays, as soon as its watch is over', async () => {
  await using rig = await openRig();
  const agent = await rig.serve();
  await expect(agent.confirm()).rejects.toMatchObject({ code: 'confirm.nothing-pending' });
  agent.offer(second(rig, 60_000));
  await until(agent, (state) => state.confirm !== null);
  await agent.confirm();
  expect(await until(agent, isCommitted(2))).toMatchObject({ confirm: null, nack: null });
});

test('a manager that answers speaks for it; what is given here overrules the time of the manifest', async () => {
  await using rig = await openRig();
  const agent = await rig.serve({ managerReachable: () => true });
  const order = { ...second(rig, 60_000), confirm_ms: 500 };
  agent.offer(order);
  await until(agent, (state) => state.confirm !== null);
  expect(agent.state.committed).toMatchObject({ generation: 1 });
  await until(agent, isCommitted(2));
});

test('what waits is taken back also when the agent is replaced meanwhile, and at once when the machine goes down', async () => {
  await using rig = await openRig();
  const first = await rig.serve();
  first.offer(second(rig, 1500));
  await until(first, (state) => state.confirm !== null);
  await first[Symbol.asyncDispose]();
  const next = await rig.boot();
  expect(next.state).toMatchObject({ phase: 'serving', confirm: { generation: 2 } });
  await until(next, isRefused('apply.unconfirmed'));
  const third = rig.order({ generation: 3, config: directConfig(rig.port, { log: { level: 'info' } }) });
  next.offer({ ...third, manifest: { ...third.manifest, confirm_ms: 60_000 } });
  await until(next, ({ confirm }) => confirm?.generation === 3);
  await next[Symbol.asyncDispose]();
  await rig.killEngines();
  const last = await rig.boot();
  await until(last, isRefused('apply.unconfirmed'));
  expect(last.state).toMatchObject({ running: { generation: 1 }, committed: { generation: 1 }, confirm: null });
  expect(await requestThrough(rig.port, rig.origin.url)).toBe(204);
});

test('a version that no trial could prove has to be spoken for where it replaces one that worked', async () => {
  await using rig = await openRig();
  let isReachable: boolean | undefined = false;
  const agent = await rig.serve({ settings: { confirm_ms: 600 }, managerReachable: () => isReachable });
  const order = (generation: number, level: string): Order =>
    rig.order({ generation, config: directConfig(rig.port, { log: { level } }), unit: { trial: false } });
  agent.offer(order(2, 'warn'));
  await until(agent, isRefused('apply.unconfirmed'));
  isReachable = undefined;
  agent.offer(order(3, 'info'));
  await until(agent, ({ confirm }) => confirm?.generation === 3);
  await until(agent, isCommitted(3));
});
