import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, jest, test } from '@jest/globals';
import { createControlApi, type Control } from '../src/engines/control-api.ts';
import { directConfig, isCommitted, openRig, until, type OrderOptions, type Rig } from './reconciler-rig.ts';

jest.setTimeout(30_000);

interface Named {
  readonly tag: string;
  readonly id: string;
}

/** A selector over nodes, with the list that says which node each tag is. */
function choosing(rig: Rig, generation: number, nodes: readonly Named[]): OrderOptions {
  const tags = nodes.map(({ tag }) => tag);
  const config = directConfig(rig.port, {
    outbounds: [{ type: 'selector', tag: 'select', outbounds: tags }, ...tags.map((tag) => ({ type: 'direct', tag }))],
    route: { final: 'select' },
  });
  const list = nodes.map(({ tag, id }) => ({ tag, node_id: id, subscription: 'main' }));
  return { generation, config, files: { 'nodes.json': Buffer.from(JSON.stringify(list)) } };
}

const controlOf = ({ directory }: Rig): Control =>
  (JSON.parse(readFileSync(path.join(directory, 'slots/edge/current/slot.json'), 'utf8')) as { control: Control })
    .control;

test('a choice follows the node to its new name, and to nothing else', async () => {
  await using rig = await openRig();
  const agent = await rig.boot();
  const api = createControlApi(1000);
  const chosen = async () => (await api.selectors(controlOf(rig))).get('select')?.now;
  const [a, b, c] = ['a', 'b', 'c'].map((id) => ({ tag: `Node ${id}`, id }));
  if (!a || !b || !c) throw new Error('three nodes');
  agent.offer(rig.order(choosing(rig, 1, [a, b, c])));
  await until(agent, isCommitted(1));
  expect(await chosen()).toBe('Node a');

  // Nobody chose, so that the new config may begin with another one.
  agent.offer(rig.order(choosing(rig, 2, [b, a, c])));
  await until(agent, isCommitted(2));
  expect(await chosen()).toBe('Node b');

  expect(await api.select(controlOf(rig), 'select', 'Node c')).toBe(true);
  agent.offer(rig.order(choosing(rig, 3, [b, { ...a, tag: 'Node c' }, { ...c, tag: 'Now called so' }])));
  await until(agent, isCommitted(3));
  expect(await chosen()).toBe('Now called so');

  agent.offer(rig.order(choosing(rig, 4, [b, a])));
  await until(agent, isCommitted(4));
  expect(await chosen()).toBe('Node b');
});

test('a choice is there again after a version that was taken back', async () => {
  await using rig = await openRig();
  const agent = await rig.boot();
  const api = createControlApi(1000);
  const chosen = async () => (await api.selectors(controlOf(rig))).get('select')?.now;
  const [a, b] = ['a', 'b'].map((id) => ({ tag: `Node ${id}`, id }));
  if (!a || !b) throw new Error('two nodes');
  agent.offer(rig.order(choosing(rig, 1, [a, b])));
  await until(agent, isCommitted(1));
  expect(await api.select(controlOf(rig), 'select', 'Node b')).toBe(true);
  agent.offer(rig.order(choosing(rig, 2, [a, { ...b, tag: 'New b' }])));
  await until(agent, isCommitted(2));
  expect(await chosen()).toBe('New b');
  await agent.rollback();
  expect(await chosen()).toBe('Node b');
});

test('the list of nodes comes with a config that runs already', async () => {
  await using rig = await openRig();
  const agent = await rig.boot();
  const api = createControlApi(1000);
  const [a, b] = ['a', 'b'].map((id) => ({ tag: `Node ${id}`, id }));
  if (!a || !b) throw new Error('two nodes');
  const { files: _, ...unlisted } = choosing(rig, 1, [a, b]);
  agent.offer(rig.order(unlisted));
  await until(agent, isCommitted(1));
  expect(await api.select(controlOf(rig), 'select', 'Node b')).toBe(true);
  agent.offer(rig.order(choosing(rig, 2, [a, b])));
  await until(agent, isCommitted(2));
  agent.offer(rig.order(choosing(rig, 3, [a, { ...b, tag: 'New b' }])));
  await until(agent, isCommitted(3));
  expect((await api.selectors(controlOf(rig))).get('select')?.now).toBe('New b');
});
