import { expect, test, describe } from '@jest/globals';
import { chmod, mkdir, readFile, rename, symlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { systemClock } from '@sbox/core';
import { createClient, localRoutes } from '@sbox/protocol';
import { eventually, openBench, type Bench, type TestAgent } from '../../test/agent-bench.ts';
import { makeBundle } from '../../test/bundles.ts';
import { digestOfBytes, startManagerDouble } from '../../test/manager-double.ts';
import { configText, testManifest } from '../../test/manifests.ts';
import { socketTransport } from '../cli/local-client.ts';

const clock = systemClock;
const one = configText('one');
const two = configText('two');
const local = '{"outbounds":[{"type":"direct"}]}';

const put = async (
  { importDir, directory }: Bench,
  name: string,
  content: string | Uint8Array,
  mode = 0o600,
): Promise<string> => {
  await mkdir(importDir, { recursive: true });
  const aside = path.join(directory, 'aside');
  await writeFile(aside, content);
  await chmod(aside, mode);
  const file = path.join(importDir, name);
  await rename(aside, file);
  return file;
};
const refusal = async (agent: TestAgent, code: string): Promise<unknown> =>
  await eventually(code, () => agent.statusSource.status().nack?.code === code);

describe('plain files', () => {
  test('are taken on a server that never joined, as JSON and as YAML, and again when they change', async () => {
    await using bench = await openBench();
    await put(bench, 'edge.json', local);
    await using agent = await bench.start();
    await eventually('the file runs', () => agent.fake.state.running?.source === 'local');
    expect(agent.fake.offered[0]?.manifest).toMatchObject({ epoch: 1, generation: 0, units: [{ name: 'main' }] });
    await put(bench, 'edge.yaml', 'outbounds:\n  - type: block\n');
    await eventually('the YAML runs', () => agent.fake.contents.at(-1) === '{"outbounds":[{"type":"block"}]}');
    await put(bench, 'edge.json', '{"outbounds":[]}');
    await eventually('the new one runs', () => agent.fake.contents.at(-1) === '{"outbounds":[]}');
  });

  test('are taken once, not again by every start', async () => {
    await using bench = await openBench();
    await put(bench, 'edge.json', local);
    {
      await using agent = await bench.start();
      await eventually(
        'it is noted',
        async () => (await readFile(path.join(bench.stateDir, 'imports.json'), 'utf8').catch(() => '')) !== '',
      );
      expect(agent.fake.offered).toHaveLength(1);
    }
    await using agent = await bench.start();
    await put(bench, 'other.json', '{}');
    await eventually('another one is taken', () => agent.fake.offered.length > 0);
    expect(agent.fake.contents).toEqual(['{}']);
  });

  test.each([
    [
      'a symbolic link',
      async (bench: Bench) => {
        const target = path.join(bench.directory, 'target.json');
        await writeFile(target, local, { mode: 0o600 });
        await mkdir(bench.importDir, { recursive: true });
        await symlink(target, path.join(bench.importDir, 'edge.json'));
      },
    ],
    ['a file that its group may write', async (bench: Bench) => void (await put(bench, 'edge.json', local, 0o660))],
    ['a file that anybody may write', async (bench: Bench) => void (await put(bench, 'edge.json', local, 0o602))],
    [
      'a directory',
      async (bench: Bench) => void (await mkdir(path.join(bench.importDir, 'edge.json'), { recursive: true })),
    ],
    [
      'a file that is too large',
      async (bench: Bench) => void (await put(bench, 'edge.json', Buffer.alloc(16 * 1024 * 1024 + 1))),
    ],
  ])('scenario 27: %s is refused and changes nothing', async (_, make) => {
    await using bench = await openBench();
    await using agent = await bench.start();
    await make(bench);
    await agent[Symbol.asyncDispose]();
    await using again = await bench.start();
    await refusal(again, 'import.unsafe-file');
    expect(again.fake.offered).toEqual([]);
  });

  test('scenario 27: a half-written file waits until nobody writes it any more', async () => {
    await using bench = await openBench();
    await mkdir(bench.importDir, { recursive: true });
    await using agent = await bench.start(bench.settings({ import: { settle: '60ms' } }));
    const file = path.join(bench.importDir, 'edge.json');
    for (let length = 1; length <= local.length; length += 4) {
      await writeFile(file, local.slice(0, length), { mode: 0o600 });
      await utimes(file, 1, 1 + length);
      await clock.sleep(10);
    }
    await writeFile(file, local);
    await eventually('the whole file runs', () => agent.fake.contents.at(-1) === local);
    expect(agent.fake.contents).toEqual([local]);
  });

  test('are not taken on a server that joined, unless the settings say so', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    await bench.join(manager);
    await put(bench, 'edge.json', local);
    await using agent = await bench.start();
    await refusal(agent, 'import.not-allowed');
    expect(agent.fake.offered).toEqual([]);
  });

  test.each([
    ['enforce', 'manager', 0],
    ['adopt', 'manager', 1],
    ['hold', 'local', 0],
  ] as const)(
    'while the manager is away one is taken; when it returns with on_return %s, %s runs',
    async (onReturn, source, drafts) => {
      await using bench = await openBench();
      await using manager = await startManagerDouble({ clock });
      const { server_id: id } = await bench.join(manager);
      manager.publish(testManifest(id, 1, one, { on_return: onReturn }), [one]);
      await using agent = await bench.start(bench.settings({ import: { allow_unsigned: true, after: '0' } }));
      await eventually('the manager is obeyed', () => agent.fake.state.running?.source === 'manager');
      await put(bench, 'edge.json', local);
      manager.fault = 'error';
      await eventually('the file runs', () => agent.fake.state.running?.source === 'local', 10_000);
      manager.fault = undefined;
      await eventually('the manager is back', () =>
        agent.statusSource
          .status()
          .conditions.some(({ type, status }) => type === 'ManagerReachable' && status === 'true'),
      );
      if (onReturn === 'hold') {
        await eventually('it is called drift', () =>
          agent.statusSource.status().conditions.some(({ type, status }) => type === 'Drift' && status === 'true'),
        );
      } else {
        await eventually('the manager is obeyed again', () => agent.fake.state.running?.source === 'manager');
      }
      expect(agent.fake.state.running?.source).toBe(source);
      expect(manager.drafts).toEqual(drafts === 0 ? [] : [local]);
    },
  );
});

describe('bundles', () => {
  test('are taken at once from the directory, and only when they are newer', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    const { server_id: id } = await bench.join(manager);
    manager.fault = 'error';
    await put(bench, 'a.sbox', makeBundle(manager, testManifest(id, 4, one), [one]));
    await using agent = await bench.start();
    await eventually('the bundle runs', () => agent.fake.state.running?.source === 'bundle');
    await put(bench, 'b.tar', makeBundle(manager, testManifest(id, 3, two), [two]));
    await refusal(agent, 'manifest.stale');
    expect(agent.fake.state.running).toMatchObject({ source: 'bundle', generation: 4 });
  });

  test('come through the local API, each with its own reason when they are refused', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    await using stranger = await startManagerDouble({ clock });
    const { server_id: id } = await bench.join(manager);
    manager.fault = 'error';
    await using agent = await bench.start();
    const client = createClient(localRoutes, socketTransport(agent.socketFile));
    const offer = async (bundle: Uint8Array): Promise<unknown> => await client.import({ body: bundle });
    await expect(offer(Buffer.from('x'))).rejects.toMatchObject({ code: 'bundle.invalid' });
    await expect(offer(makeBundle(stranger, testManifest(id, 9, one), [one]))).rejects.toMatchObject({
      code: 'manager.untrusted',
    });
    await expect(offer(makeBundle(manager, testManifest('srv_other', 9, one), [one]))).rejects.toMatchObject({
      code: 'manifest.wrong-server',
    });
    await expect(offer(makeBundle(manager, testManifest(id, 9, one), []))).rejects.toMatchObject({
      code: 'bundle.invalid',
    });
    const wrong = { name: `blobs/sha256/${'0'.repeat(64)}`, content: two };
    await expect(offer(makeBundle(manager, testManifest(id, 9, one), [one], [wrong]))).rejects.toMatchObject({
      code: 'blob.digest-mismatch',
    });
    expect(agent.fake.offered).toEqual([]);
    expect(await offer(makeBundle(manager, testManifest(id, 9, one), [one]))).toEqual({ epoch: 1, generation: 9 });
    await eventually('it runs', () => agent.fake.contents.at(-1) === one.toString());
    // An engine is larger than any other content.
    const engine = Buffer.alloc(20 * 1024 * 1024, 7);
    await offer(makeBundle(manager, testManifest(id, 10, two), [two, engine]));
    await eventually('it is offered', () => agent.fake.offered.at(-1)?.manifest.generation === 10);
    const { signal } = new AbortController();
    const brought = await agent.fake.offered.at(-1)?.blobs.fetch(digestOfBytes(engine), engine.length, signal);
    expect(brought).toHaveLength(engine.length);
  });

  test('mean nothing to a server that does not know whom to believe', async () => {
    await using bench = await openBench();
    await using manager = await startManagerDouble({ clock });
    await put(bench, 'a.sbox', makeBundle(manager, testManifest('srv_1', 1, one), [one]));
    await using agent = await bench.start();
    await refusal(agent, 'agent.not-joined');
    expect(agent.fake.offered).toEqual([]);
  });
});
