import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { plainText } from '../src/sing-box/run.ts';
import type { Flow } from '../src/sing-box/routes/route-match.ts';
import { createWorkplace, freePort, type RealEngine } from './real-engine.ts';

/** Where a real engine sent a connection: `reject`, `hijack-dns`, or the outbound; and the rule that did it. */
export interface RealAnswer {
  readonly rule_index: number | null;
  readonly went: string;
  /** What carried it in the end, behind all groups. */
  readonly carried: string | null;
}

/** Where the listener `udp` sends everything. */
export const udpDestination = { override_address: 'packets.test', override_port: 4433 } as const;

/** An engine that says nothing for so long has said everything. */
const maxSilenceMs = 15_000;

const greeting = Buffer.from([5, 2, 0, 2]);
/** What makes the engine's sniffers recognise something. */
const payloads: Readonly<Record<string, Buffer>> = {
  http: Buffer.from('GET / HTTP/1.1\r\nHost: sniffed.test\r\n\r\n'),
  ssh: Buffer.from('SSH-2.0-x\r\n'),
  '': Buffer.from('\u0000\u0001nothing that anybody knows'),
};

/**
 * Starts a real engine with the listeners `in`, `auth` (with users) and `udp`, and reads in its log which rule takes what.
 * Its outbounds must end quickly by themselves: sockets that refuse.
 */
export async function startAskedEngine(engine: RealEngine, config: Readonly<Record<string, unknown>>) {
  const place = createWorkplace();
  const ports: Record<string, number> = { in: await freePort(), auth: await freePort(), udp: await freePort() };
  const listener = { type: 'mixed', listen: '127.0.0.1' };
  const users = ['ann', 'bob'].map((username) => ({ username, password: 'p' }));
  const inbounds = [
    { type: 'direct', tag: 'udp', listen: '127.0.0.1', listen_port: ports['udp'], network: 'udp', ...udpDestination },
    { ...listener, tag: 'in', listen_port: ports['in'] },
    { ...listener, tag: 'auth', listen_port: ports['auth'], users },
  ];
  const child = place.start(engine, JSON.stringify({ log: { level: 'debug' }, ...config, inbounds }));
  const said: string[] = [];
  let tell = (): void => undefined;
  createInterface({ input: child.stderr! })
    .on('line', (line) => {
      said.push(plainText(line));
      tell();
    })
    .on('close', () => tell());
  /** Looks at the log again at every new line. */
  const untilSaid = async <T>(find: () => T | undefined): Promise<T> => {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      if (child.exitCode !== null) throw new Error(said.join('\n'));
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`nothing more was said\n${said.join('\n')}`)), maxSilenceMs);
        tell = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  };
  await untilSaid(() => said.find((line) => line.includes('sing-box started')));
  return {
    inbounds,
    said,
    async ask(flow: Flow): Promise<RealAnswer> {
      const from = said.length;
      const socket = connect(ports[flow.inbound ?? 'in'] ?? 0, '127.0.0.1');
      socket.on('error', () => undefined);
      const local = await requestThrough(socket, flow);
      const answer = await untilSaid(() => answerIn(said.slice(from), local));
      socket.destroy();
      return answer;
    },
    /** One packet to `udpDestination`. */
    async askByUdp(): Promise<RealAnswer> {
      const from = said.length;
      const socket = createSocket('udp4').bind(0, '127.0.0.1');
      await once(socket, 'listening');
      const { port } = socket.address();
      socket.send('a packet', ports['udp'], '127.0.0.1');
      const answer = await untilSaid(() => answerIn(said.slice(from), port));
      socket.close();
      return answer;
    },
    async [Symbol.asyncDispose]() {
      const exited = once(child, 'exit');
      if (child.pid !== undefined && child.exitCode === null) {
        process.kill(child.pid, 'SIGKILL');
        await exited;
      }
      place.remove();
    },
  };
}

async function requestThrough(socket: Socket, flow: Flow): Promise<number> {
  await once(socket, 'connect');
  const local = socket.localPort ?? 0;
  const [user, password] = [Buffer.from(flow.auth_user ?? ''), Buffer.from('p')];
  socket.write(flow.auth_user ? greeting : greeting.subarray(0, 1).toString('latin1') + '\u0001\u0000');
  await once(socket, 'data');
  if (flow.auth_user) {
    socket.write(Buffer.concat([Buffer.from([1, user.length]), user, Buffer.from([password.length]), password]));
    await once(socket, 'data');
  }
  const replied = Promise.race([once(socket, 'data'), once(socket, 'close')]);
  socket.write(
    Buffer.concat([Buffer.from([5, 1, 0]), addressOf(flow), Buffer.from([flow.port >> 8, flow.port & 255])]),
  );
  await replied;
  if (flow.protocol !== undefined && !socket.destroyed) socket.write(payloads[flow.protocol] ?? Buffer.alloc(0));
  return local;
}

function addressOf({ host, ip }: Flow): Buffer {
  if (ip === undefined)
    return Buffer.concat([Buffer.from([3, Buffer.byteLength(host ?? '')]), Buffer.from(host ?? '')]);
  if (!ip.includes(':')) return Buffer.from([1, ...ip.split('.').map(Number)]);
  const groups = new URL(`http://[${ip}]`).hostname.slice(1, -1);
  const [head = [], tail = []] = groups.split('::').map((half) => half.split(':').filter(Boolean));
  const all = [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => '0'), ...tail];
  return Buffer.from([
    4,
    ...all.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255]),
  ]);
}

/** The lines of one connection have its number; its first one has the port that it came from. */
function answerIn(said: readonly string[], local: number): RealAnswer | undefined {
  const number = said
    .find((line) => new RegExp(`inbound (?:packet )?connection from 127\\.0\\.0\\.1:${local}$`).test(line))
    ?.match(/\[(\d+) /)?.[1];
  const own = said.filter((line) => number !== undefined && line.includes(`[${number} `));
  const matches = own.flatMap((line) => {
    const [, index, action] = /router: match\[(\d+)\] ?.*=> (.*)$/.exec(line) ?? [];
    return action === undefined ? [] : [{ rule_index: Number(index), action }];
  });
  const last = matches.findLast(({ action }) => /^(?:reject|hijack-dns|route\()/.test(action));
  const carried = own.map((line) => carrier.exec(line)?.[1]).find((tag) => tag !== undefined) ?? null;
  if (last === undefined) return carried === null ? undefined : { rule_index: null, went: carried, carried };
  const went = last.action.replace(/^route\(([^,)]*).*$/, '$1').replace(/\(.*$/, '');
  // A rejected connection is carried by nobody; the others are, a moment after the rule was found.
  const isCarried = last.action.startsWith('route(');
  return isCarried && carried === null ? undefined : { rule_index: last.rule_index, went, carried };
}

const carrier = /outbound\/\w+\[([^\]]*)\]: outbound (?:packet )?connection to/;
