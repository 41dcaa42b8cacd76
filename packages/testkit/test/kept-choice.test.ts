import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { startFleet, type Fleet } from '../src/index.ts';

/** The selector as the engine's own control API tells it. */
async function selector({ dir }: Fleet, choose?: string): Promise<{ now: string; all: string[] }> {
  const slot = JSON.parse(readFileSync(dir.file('agent/state/slots/main/current/slot.json'), 'utf8')) as {
    control: { address: string; secret: string };
  };
  const url = `http://${slot.control.address}/proxies/select`;
  const headers = { authorization: `Bearer ${slot.control.secret}` };
  if (choose !== undefined) {
    const answer = await fetch(url, { method: 'PUT', headers, body: JSON.stringify({ name: choose }) });
    expect(answer.status).toBe(204);
  }
  return (await (await fetch(url, { headers })).json()) as { now: string; all: string[] };
}

test('the provider renames its nodes: what somebody chose stays chosen, under its new name', async () => {
  await using fleet = await startFleet();
  const [, first = ''] = (await selector(fleet)).all;
  expect((await selector(fleet, first)).now).toBe(first);
  fleet.provider.setBody('renamed');
  await fleet.manager.client.subscriptions.refresh({ params: { id: 'provider' } });
  await fleet.agent.until('on version 2', ({ phase, running }) => phase === 'committed' && running?.generation === 2);
  const { now, all } = await selector(fleet);
  expect(all).not.toContain(first);
  expect(now).toBe(`${first} (new name)`);
  expect(await fleet.request()).toBe('origin-ok');
});
