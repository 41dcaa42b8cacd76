import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { killProcessesUnder, pinnedSingBox, requestThrough, startFleet, type Fleet } from '../src/index.ts';

/** A rule-set of one name as providers of lists compile it, behind an address that can go away. */
async function serveRuleSet(fleet: Fleet, domain: string) {
  const [source, compiled] = [fleet.dir.file('rules.json'), fleet.dir.file('rules.srs')];
  await writeFile(source, JSON.stringify({ version: 1, rules: [{ domain: [domain] }] }));
  await promisify(execFile)(pinnedSingBox(), ['rule-set', 'compile', source, '-o', compiled]);
  const content = readFileSync(compiled);
  const server = createServer((_, response) => void response.end(content));
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
  return {
    url: `http://127.0.0.1:${port}/rules.srs`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Refuses connections to the names of a remote rule-set. */
const blocking = (url: string) => [
  {
    op: 'add' as const,
    path: '/route/rule_set',
    value: [{ type: 'remote', tag: 'blocked', format: 'binary', url, download_detour: 'direct' }],
  },
  { op: 'add' as const, path: '/route/rules/0', value: { rule_set: ['blocked'], action: 'reject' } },
];

test('a rule-set travels with the version: its provider dies, the manager dies, and the rule still holds', async () => {
  await using fleet = await startFleet();
  const { agent, manager, origin, proxyPort } = fleet;
  const named = `http://localhost:${origin.port}/`;
  const askByName = async () => (await requestThrough({ proxyPort, url: named, timeoutMs: 3000 })).body;
  expect(await askByName()).toBe('origin-ok');

  const rules = await serveRuleSet(fleet, 'localhost');
  const params = { id: 'main' };
  const body = { patch: blocking(rules.url) };
  await manager.client.configs.update({ params, headers: { 'if-match': '*' }, body });
  await manager.client.configs.generate({ params, body: {} });
  await rules[Symbol.asyncDispose]();
  expect(await fleet.deploy()).toMatchObject({ state: 'succeeded' });
  expect(await fleet.request()).toBe('origin-ok');
  await expect(askByName()).rejects.toThrow();

  await manager.kill();
  await agent.kill();
  await killProcessesUnder(fleet.dir.file('agent'));
  await agent.start();
  await agent.until('serving again', ({ units }) => units[0]?.state === 'running' || units[0]?.state === 'watching');
  expect(await fleet.request()).toBe('origin-ok');
  await expect(askByName()).rejects.toThrow();
});
