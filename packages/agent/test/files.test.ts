import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, jest, test } from '@jest/globals';
import {
  directConfig,
  isCommitted,
  isRefused,
  openRig,
  requestThrough,
  singBoxPath,
  until,
  untilTrue,
  type OrderOptions,
  type Rig,
} from './reconciler-rig.ts';

jest.setTimeout(30_000);

/** A rule-set of one name, compiled by the engine itself. */
function compile({ directory }: Rig, domain: string): Buffer {
  const [source, output] = [path.join(directory, `${domain}.json`), path.join(directory, `${domain}.srs`)];
  writeFileSync(source, JSON.stringify({ version: 1, rules: [{ domain: [domain] }] }));
  const { status, stderr } = spawnSync(singBoxPath, ['rule-set', 'compile', source, '-o', output]);
  if (status !== 0) throw new Error(stderr.toString());
  return readFileSync(output);
}

/** Refuses the names of a rule-set, and lets everything else out directly. */
function blocking(rig: Rig, generation: number, ruleSet: Uint8Array): OrderOptions & { readonly config: object } {
  const hex = createHash('sha256').update(ruleSet).digest('hex');
  const name = `rule-sets/${hex}.srs`;
  const route = {
    rule_set: [{ type: 'local', tag: 'blocked', format: 'binary', path: name }],
    rules: [{ rule_set: ['blocked'], action: 'reject' }],
    final: 'out',
  };
  return { generation, config: directConfig(rig.port, { route }), files: { [name]: ruleSet } };
}

const named = (rig: Rig): string => rig.origin.url.replace('127.0.0.1', 'localhost');
const blobsIn = ({ directory }: Rig): string[] => readdirSync(path.join(directory, 'blobs/sha256'));

test('files come with the order, are in force in the trial and in the live engine, and go when nothing needs them', async () => {
  await using rig = await openRig();
  const agent = await rig.boot();
  const ruleSet = compile(rig, 'localhost');
  agent.offer(rig.order(blocking(rig, 1, ruleSet)));
  await until(agent, isCommitted(1));
  expect(await requestThrough(rig.port, rig.origin.url)).toBe(204);
  await expect(requestThrough(rig.port, named(rig))).rejects.toThrow();
  const digest = createHash('sha256').update(ruleSet).digest('hex');
  expect(blobsIn(rig)).toContain(digest);

  agent.offer(rig.order(blocking(rig, 2, compile(rig, 'other.test'))));
  await until(agent, isCommitted(2));
  expect(await requestThrough(rig.port, named(rig))).toBe(204);
  // The version before is what is gone back to.
  expect(blobsIn(rig)).toContain(digest);
  for (const generation of [3, 4, 5]) {
    agent.offer(rig.order({ generation, config: directConfig(rig.port, { log: { level: levels[generation] } }) }));
    await until(agent, isCommitted(generation));
  }
  await untilTrue(() => !blobsIn(rig).includes(digest));
});

const levels: Readonly<Record<number, string>> = { 3: 'info', 4: 'warn', 5: 'error' };

test('an engine that ended starts with its files after the agent was away, without any source of content', async () => {
  await using rig = await openRig();
  const first = await rig.boot({ stopEnginesOnDispose: true });
  first.offer(rig.order(blocking(rig, 1, compile(rig, 'localhost'))));
  await until(first, isCommitted(1));
  await first[Symbol.asyncDispose]();
  rig.abandon(first);
  expect(rig.engines()).toEqual([]);
  const second = await rig.boot();
  await until(second, isCommitted(1));
  await expect(requestThrough(rig.port, named(rig))).rejects.toThrow();
  expect(await requestThrough(rig.port, rig.origin.url)).toBe(204);
});

test.each<[string, (options: ReturnType<typeof blocking>) => OrderOptions, string]>([
  ['that did not come with it', ({ config, generation }) => ({ config: { ...config }, generation }), 'config.invalid'],
  [
    'outside of the folder',
    ({ config, generation }) => ({
      generation,
      config: { ...config, route: { rule_set: [{ type: 'local', tag: 'a', path: '/etc/passwd' }] } },
    }),
    'config.invalid',
  ],
  [
    'whose content is another',
    ({ files = {}, ...options }) => ({
      ...options,
      unit: {
        files: Object.keys(files).map((name) => ({ path: name, digest: `sha256:${'0'.repeat(64)}`, size: 4 })),
      },
    }),
    'blob.not-found',
  ],
])('a config that names a file %s is refused, and what runs stays', async (_, change, code) => {
  await using rig = await openRig();
  const agent = await rig.serve();
  const pids = rig.engines();
  agent.offer(rig.order(change(blocking(rig, 2, compile(rig, 'localhost')))));
  await until(agent, isRefused(code));
  expect(rig.engines()).toEqual(pids);
  expect(await requestThrough(rig.port, named(rig))).toBe(204);
});
