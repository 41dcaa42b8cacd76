import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import { expect, test } from '@jest/globals';
import {
  openStreamThrough,
  pinnedSingBox,
  requestThrough,
  startFleet,
  startSingBox,
  watchEngine,
  type Fleet,
  type ThroughProxyOptions,
} from '../src/index.ts';

/** Addresses that exist inside the tunnel only. */
const farAddress = '10.9.0.1';
const nearAddress = '10.9.0.2';
const method = '2022-blake3-aes-128-gcm';

function createTunnelKey(): { privateKey: string; publicKey: string } {
  const { d = '', x = '' } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' });
  const standard = (text: string): string => Buffer.from(text, 'base64url').toString('base64');
  return { privateKey: standard(d), publicKey: standard(x) };
}

async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => {
    socket.bind(0, '127.0.0.1', resolve);
  });
  const { port } = socket.address();
  await new Promise<void>((resolve) => {
    socket.close(resolve);
  });
  return port;
}

/**
 * The far end of a tunnel, and beside it a Shadowsocks node for the trials, which may not open a tunnel. Only through the
 * tunnel is its inner address reached.
 */
async function startFarSide(dir: string) {
  const [far, near] = [createTunnelKey(), createTunnelKey()];
  const tunnelPort = await freeUdpPort();
  const password = randomBytes(16).toString('base64');
  const running = await startSingBox({
    singBox: pinnedSingBox(),
    dir,
    ports: 1,
    config: ([port]) => ({
      log: { level: 'debug' },
      inbounds: [{ type: 'shadowsocks', tag: 'beside', listen: '127.0.0.1', listen_port: port, method, password }],
      endpoints: [
        {
          type: 'wireguard',
          tag: 'tunnel',
          address: [`${farAddress}/32`],
          private_key: far.privateKey,
          listen_port: tunnelPort,
          peers: [{ public_key: near.publicKey, allowed_ips: [`${nearAddress}/32`] }],
        },
      ],
      outbounds: [{ type: 'direct', tag: 'direct' }],
      route: { rules: [{ inbound: ['beside'], ip_cidr: [`${farAddress}/32`], action: 'reject' }] },
    }),
  });
  const [port = 0] = running.ports;
  return {
    /** A subscription with both nodes; the tunnel keeps its key whatever the other one is. */
    subscription: (name: string, isRight = true): string =>
      JSON.stringify({
        endpoints: [
          {
            type: 'wireguard',
            tag: 'tunnel',
            address: [`${nearAddress}/32`],
            private_key: near.privateKey,
            peers: [{ address: '127.0.0.1', port: tunnelPort, public_key: far.publicKey, allowed_ips: ['0.0.0.0/0'] }],
          },
        ],
        outbounds: [
          {
            type: 'shadowsocks',
            tag: name,
            server: '127.0.0.1',
            server_port: port,
            method,
            password: isRight ? password : randomBytes(16).toString('base64'),
          },
        ],
      }),
    /** How often somebody with the near key began anew. */
    handshakes: (): number => running.process.output().split('received handshake initiation').length - 1,
    [Symbol.asyncDispose]: async () => await running[Symbol.asyncDispose](),
  };
}

/** Makes the inline subscription this text, and deploys what comes of it. */
async function deployText({ manager, deploy }: Fleet, text: string): ReturnType<Fleet['deploy']> {
  const { client } = manager;
  const headers = { 'if-match': '*' };
  await client.subscriptions.update({ params: { id: 'tunnel' }, headers, body: { source: { type: 'inline', text } } });
  await client.configs.generate({ params: { id: 'main' }, body: {} });
  return await deploy();
}

async function useTunnel({ manager, origin }: Fleet, text: string): Promise<void> {
  const { client } = manager;
  const inside = (path: string): string => `http://${farAddress}:${origin.port}${path}`;
  await client.subscriptions.add({ body: { name: 'tunnel', source: { type: 'inline', text } } });
  await client.configs.update({
    params: { id: 'main' },
    headers: { 'if-match': '*' },
    body: {
      subscriptions: ['tunnel'],
      auto_deploy: false,
      settings: {
        urltest: { url: inside('/generate_204') },
        // The live engine reaches the first one, and only through the tunnel; a trial reaches the second one.
        probe: { urls: [inside('/'), origin.probeUrl] },
      },
    },
  });
  await client.configs.generate({ params: { id: 'main' }, body: {} });
}

/** The engine first has to find out which of its nodes reaches the address. */
async function untilAnswered(options: ThroughProxyOptions): Promise<void> {
  for (const deadline = performance.now() + 10_000; ;) {
    const body = await requestThrough(options).then(
      (answer) => answer.body,
      (error: unknown) => error,
    );
    if (body === 'origin-ok') return;
    if (performance.now() > deadline) throw body;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('a WireGuard tunnel is live while versions with its key are tried: it does not drop before the take-over', async () => {
  await using fleet = await startFleet({ watch: '200ms' });
  await using far = await startFarSide(fleet.dir.file('far'));
  const { agent, origin, proxyPort } = fleet;
  const throughTunnel = { proxyPort, url: `http://${farAddress}:${origin.port}/` };
  const watchTunnel = async () =>
    await watchEngine({
      agent,
      stream: async () => await openStreamThrough({ ...throughTunnel, url: `${throughTunnel.url}stream` }),
    });
  await useTunnel(fleet, far.subscription('beside'));
  expect(await fleet.deploy()).toMatchObject({ state: 'succeeded' });
  await untilAnswered(throughTunnel);

  using watch = await watchTunnel();
  const opened = far.handshakes();
  expect(opened).toBeGreaterThan(0);
  const refused = await deployText(fleet, far.subscription('beside', false));
  expect(refused).toMatchObject({ state: 'halted', code: 'trial.probe-failed' });
  expect((await agent.local.status()).nack).toMatchObject({ stage: 'trial', generation: 3 });
  expect(far.handshakes()).toBe(opened);
  await watch.assertUntouched();

  const journal = fleet.dir.file('agent/state/journal.ndjson');
  const isSwitched = (): boolean =>
    readFileSync(journal, 'utf8')
      .split('\n')
      .some((line) => line.includes('"step":"SWITCHED"') && line.includes('"generation":4,'));
  const deployed = deployText(fleet, far.subscription('beside, renamed'));
  while (watch.stream.isOpen) {
    const count = far.handshakes();
    // Whoever shook hands before the take-over was a trial with the key of the live tunnel.
    if (count > opened) expect(isSwitched()).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect(isSwitched()).toBe(true);
  expect(await deployed).toMatchObject({ state: 'succeeded' });
  expect(await agent.enginePid()).toBe(watch.pid);
  await untilAnswered(throughTunnel);
  expect(far.handshakes()).toBeGreaterThan(opened);
});
