import { hash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { renderSingBox, type EngineTarget } from '@sbox/engines/sing-box/render';
import { overlay, singBox } from '@sbox/engines/sing-box/run';
import { parseSubscription } from '@sbox/formats';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  createSelfSigned,
  freePorts,
  openTestDirectory,
  pinnedSingBox,
  requestThrough,
  startOrigin,
  startSingBox,
} from '../src/index.ts';
import { createSecrets, protocolCases, type ProtocolCase, type Secrets } from './protocol-cases.ts';

/** A name that only the servers can look up: a request that went around its node would not arrive. */
const farName = 'origin.behind.test';
const tools = path.resolve(import.meta.dirname, '../../../.tools');

interface Program {
  readonly file: string;
  readonly target: EngineTarget;
}

/** The pinned engine, the older lines where they are, and what `SBOX_ENGINES` names. */
const clients: readonly Program[] = [
  pinnedSingBox(),
  path.join(tools, 'bin/sing-box-1.13'),
  path.join(tools, 'bin/sing-box-1.12'),
  ...(process.env['SBOX_ENGINES'] ?? '').split(':').filter((file) => file !== ''),
].flatMap((file) => {
  const found = existsSync(file)
    ? singBox.parseVersion(spawnSync(file, ['version'], { encoding: 'utf8' }).stdout)
    : undefined;
  return found === undefined ? [] : [{ file, target: { engine: 'sing-box', ...found } }];
});

const canRun = ({ since = 0, tag }: ProtocolCase, { target }: Program): boolean =>
  Number(target.version.split('.')[1]) >= since && (tag === undefined || target.tags.includes(tag));

/** The newest that has most: it serves all protocols. */
const server = clients.toSorted((a, b) => Number(canServeAll(b)) - Number(canServeAll(a)))[0] as Program;
function canServeAll(program: Program): boolean {
  return protocolCases.every((one) => canRun(one, program));
}
const served = protocolCases.filter((one) => canRun(one, server));

const running = new AsyncDisposableStack();
let secrets: Secrets;
let originPort: number;
let ports: readonly (readonly number[])[];

beforeAll(async () => {
  const directory = running.use(openTestDirectory('protocols'));
  secrets = createSecrets(await createSelfSigned('example.test'));
  originPort = running.use(await startOrigin()).port;
  const { ports: all } = running.use(
    await startSingBox({
      singBox: server.file,
      dir: directory.file('server'),
      ports: served.reduce((sum, { ports: count = 1 }) => sum + count, 0),
      config: (free) => serverConfig(cut(free)),
    }),
  );
  ports = cut(all);
});

afterAll(async () => await running.disposeAsync());

/** Ports of each case, in the order of the cases. */
function cut(free: readonly number[]): readonly (readonly number[])[] {
  let from = 0;
  return served.map(({ ports: count = 1 }) => free.slice(from, (from += count)));
}

function serverConfig(given: readonly (readonly number[])[]): unknown {
  const inbounds = served.flatMap((one, index) => one.inbounds(secrets, given[index] ?? []));
  return {
    log: { level: 'info' },
    dns: { servers: [{ type: 'hosts', tag: 'hosts', predefined: { [farName]: '127.0.0.1' } }] },
    inbounds: inbounds.map(({ listen_port, ...inbound }, index) => ({
      tag: `in-${index}`,
      ...inbound,
      // Behind another inbound, which hands its connections over.
      ...(listen_port === 0 ? {} : { listen: '127.0.0.1', listen_port }),
    })),
    outbounds: [{ type: 'direct', tag: 'direct', domain_resolver: 'hosts' }],
  };
}

/** All cases as one subscription in each of the two forms, read and rendered as a user's would be. */
function nodesOf(program: Program) {
  const entries = served.flatMap((one, index) =>
    canRun(one, program) ? [{ name: one.name, entry: one.entry(secrets, ports[index]?.[0] ?? 0) }] : [],
  );
  const links = entries.flatMap(({ name, entry }) => (typeof entry === 'string' ? [named(entry, name)] : []));
  const proxies = entries.flatMap(({ name, entry }) => (typeof entry === 'string' ? [] : [{ ...entry, name }]));
  const read = (text: string) => parseSubscription(text, { sha256: (bytes) => hash('sha256', bytes, 'buffer') });
  return [read(links.join('\n')), read(JSON.stringify({ proxies }))].flatMap(({ nodes, rejected }) => {
    expect(rejected).toEqual([]);
    return nodes;
  });
}

const named = (link: string, name: string): string => `${link}#${encodeURIComponent(name)}`;

describe.each(clients.map((client) => ({ name: client.target.version, client })))('client $name', ({ client }) => {
  const own = new AsyncDisposableStack();
  const secret = 'only-here';
  let proxyPort: number;
  let control: string;

  beforeAll(async () => {
    const { config, left_out } = renderSingBox(nodesOf(client), client.target);
    expect(left_out).toEqual([]);
    const directory = own.use(openTestDirectory('protocols'));
    const [inbound = 0, api = 0] = await freePorts(2);
    [proxyPort, control] = [inbound, `127.0.0.1:${api}`];
    own.use(
      await startSingBox({
        singBox: client.file,
        dir: directory.path,
        ports: [inbound, api],
        config: () =>
          overlay(config, {
            mode: 'live',
            ports: { in: inbound },
            control: {
              address: control,
              secret,
            },
            log: { level: 'info' },
            once: [],
          }).config,
      }),
    );
  });
  afterAll(async () => await own.disposeAsync());

  test.each(served.filter((one) => canRun(one, client)))('$name carries a request', async ({ name }) => {
    const chosen = await fetch(`http://${control}/proxies/select`, {
      method: 'PUT',
      headers: singBox.control.header(secret),
      body: JSON.stringify({ name }),
    });
    expect(chosen.status).toBe(204);
    const { status, body } = await requestThrough({ proxyPort, url: `http://${farName}:${originPort}/` });
    expect([status, body]).toEqual([200, 'origin-ok']);
  });
});
