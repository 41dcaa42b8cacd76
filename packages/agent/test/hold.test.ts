import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, jest, test } from '@jest/globals';
import { directConfig, isCommitted, openRig, until } from './reconciler-rig.ts';

jest.setTimeout(30_000);

test('a hold file keeps everything as it is until it is gone', async () => {
  await using rig = await openRig();
  const agent = await rig.serve();
  const pid = agent.state.units[0]?.pid ?? 0;
  const file = path.join(rig.directory, 'hold');
  writeFileSync(file, 'maintenance\n');
  agent.offer(rig.order({ generation: 2, config: directConfig(rig.port, { log: { level: 'warn' } }) }));
  expect(await until(agent, ({ phase }) => phase === 'held')).toMatchObject({
    held: 'maintenance',
    running: { generation: 1 },
    units: [{ pid }],
  });
  rmSync(file);
  expect(await until(agent, isCommitted(2))).toMatchObject({ held: null });
});

test('a hold that was put by hand refuses what it is not ended by, and its end is noticed at once', async () => {
  await using rig = await openRig();
  const agent = await rig.serve({ settings: { care_every_ms: 600_000 } });
  await expect(agent.release()).rejects.toMatchObject({ code: 'server.not-held' });
  const config = directConfig(rig.port, { log: { level: 'warn' } });
  const [second, third] = [rig.order({ generation: 2, config }), rig.order({ generation: 3, config })];
  const file = path.join(rig.directory, 'hold');
  writeFileSync(file, JSON.stringify({ reason: 'by hand', until: { epoch: 1, generation: 2 } }));
  await expect(agent.refuseHeld(second)).rejects.toMatchObject({ code: 'server.held', message: 'by hand' });
  await agent.refuseHeld(third);
  agent.offer(second);
  await until(agent, ({ phase }) => phase === 'held');
  expect(await agent.release()).toBe('by hand');
  expect(await until(agent, isCommitted(2))).toMatchObject({ held: null });
  await agent.refuseHeld(second);
});
