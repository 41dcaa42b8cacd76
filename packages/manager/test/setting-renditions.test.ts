import { expect, test } from '@jest/globals';
import { codeOf, joinAgent, openManager } from './open-manager.ts';
import { any, exported, newest, openHome, set } from './settings-home.ts';

test('parameters of templates differ by server, and one rendition is made for each distinct input', async () => {
  await using manager = await openHome();
  const { client } = manager;
  await client.configs.create({
    body: { name: 'edge', subscriptions: ['demo'], template: { name: 'mixed', params: { port: 2081 } } },
  });
  // What the recipe says goes over what is written for all, and under what is written for one.
  await set(manager, 'global', { 'params.port': 3000 });
  await set(manager, 'labels:role=edge', { 'params.port': 3001, 'params.log_level': 'error' });
  await set(manager, 'server:one', { 'params.port': 3002 });
  for (const name of ['one', 'two', 'three', 'four']) {
    await joinAgent(manager, name);
    const labels = name === 'four' ? {} : { role: 'edge' };
    await client.servers.update({ params: { id: name }, headers: any, body: { labels } });
  }
  await client.configs.deploy({ params: { id: 'edge' }, body: { servers: ['one', 'two', 'three', 'four'] } });
  const ports = async (server?: string) => (await exported(manager, 'edge', server)).inbounds;
  expect(await ports()).toMatchObject([{ listen_port: 2081 }]);
  expect(await ports('one')).toMatchObject([{ listen_port: 3002 }]);
  expect(await ports('two')).toMatchObject([{ listen_port: 3001 }]);
  expect(await ports('four')).toMatchObject([{ listen_port: 2081 }]);
  const { renditions } = await newest(manager, 'edge');
  const made = renditions.filter(({ profile }) => profile.includes('1.14'));
  expect(made.map(({ differs }) => differs)).toHaveLength(3);
  expect(new Set(made.map(({ digest }) => digest)).size).toBe(3);
  // What one server gets of two versions, and what nobody in particular gets.
  await set(manager, 'server:two', { 'params.port': 3003 });
  const latest = String((await newest(manager, 'edge')).version);
  const changed = async (server?: string) => {
    const query = server === undefined ? {} : { server };
    const { text } = await client.configs.diff({ params: { id: 'edge', version: latest }, query });
    return text.split('\n').filter((line) => /^[+-] .*listen_port/.test(line));
  };
  expect(await changed('two')).toEqual([expect.stringMatching(/^- .*3001/), expect.stringMatching(/^\+ .*3003/)]);
  expect(await changed('one')).toEqual([]);
  expect(await changed()).toEqual([]);
  expect(await codeOf(changed('nobody'))).toBe('server.not-found');
  const wrong = set(manager, 'server:one', { 'params.port': 70_000 });
  expect(await codeOf(wrong)).toBe('settings.invalid-value');
});

test('without layers a version has the digest that it had before there were any', async () => {
  await using manager = await openManager();
  const { client } = manager;
  const template = {
    name: 'own',
    engine: 'sing-box' as const,
    description: '',
    params: { port: { type: 'port' as const, description: '', default: 2080 } },
    document: {
      inbounds: [{ type: 'mixed', listen_port: '${port}' }],
      outbounds: [{ type: 'direct', tag: 'direct' }],
    },
  };
  await client.templates.create({ body: { template } });
  const patch = [{ op: 'add' as const, path: '/log', value: { level: 'error' } }];
  const tests = [{ name: 'direct', destination: 'example.com:443', expect: { verdict: 'direct' as const } }];
  const choice = { name: 'own', params: { port: 2081 } };
  await client.configs.create({ body: { name: 'own', settings: { watch: '1s' }, template: choice, patch, tests } });
  // Both as the manager before settings had layers made them from this body.
  expect(await newest(manager, 'own')).toMatchObject({
    digest: 'sha256:dca764d36f5cb593824981cde73b8099c6729dfdb652f2725463dfd9e3265251',
    renditions: [{ digest: 'sha256:65306d2a1fcf1ee836e6eb89d67fb9804e3008b6277071f2b228421e3e93e37f', variant: '' }],
  });
  // Layers that change nothing for it are not in it.
  await set(manager, 'environment:prod', { log_level: 'debug', 'params.port': 2081 });
  expect((await client.configs.generate({ params: { id: 'own' }, body: {} })).created).toBe(false);
});

test('three hundred servers of three kinds share three renditions', async () => {
  await using manager = await openHome();
  const { client } = manager;
  const engine = {
    kind: 'sing-box' as const,
    version: '1.12.0',
    tags: ['with_quic', 'with_utls', 'with_wireguard', 'with_gvisor', 'with_clash_api'],
  };
  const names = Array.from({ length: 300 }, (_, at) => `s${at}`);
  for (const [at, name] of names.entries()) {
    const labels = at % 3 === 0 ? {} : { role: at % 3 === 1 ? 'edge' : 'core' };
    await client.servers.add({ body: { name, engine, labels } });
  }
  await set(manager, 'labels:role=edge', { log_level: 'debug' });
  await set(manager, 'labels:role=core', { log_level: 'error', watch: '1s' });
  await set(manager, 'server:s1', { watch: '5s' });
  const began = performance.now();
  await client.configs.deploy({ params: { id: 'home' }, body: { servers: names } });
  const deployedMs = performance.now() - began;
  const { renditions } = await newest(manager, 'home');
  expect(renditions.map(({ differs }) => differs)).toEqual(
    expect.arrayContaining([{}, { log_level: 'debug' }, { log_level: 'error' }]),
  );
  expect(renditions).toHaveLength(3);
  const changing = performance.now();
  await set(manager, 'labels:role=edge', { log_level: 'trace' });
  const changedMs = performance.now() - changing;
  expect((await newest(manager, 'home')).renditions).toHaveLength(3);
  // Generous: this says that nothing is done for each server that is done for each kind.
  expect(deployedMs).toBeLessThan(20_000);
  expect(changedMs).toBeLessThan(5_000);
  if (process.env['SBOX_TEST_TIMES']) console.log({ deployedMs, changedMs });
}, 60_000);
