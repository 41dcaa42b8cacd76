// A reconciler on a directory of its own with the real sing-box and a web server on loopback.
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ProblemError, systemClock } from '@sbox/core';
import { writeAtomic } from '@sbox/daemon/files';
import { silentLogger } from '@sbox/daemon/log';
import type { Unit } from '@sbox/protocol';
import { createEngineFinder } from '../src/engines/find-engine.ts';
import { makeOverlay } from '../src/engines/overlay-command.ts';
import type { RunOverlay } from '../src/engines/run-overlay.ts';
import type { Order, Reconciler, ReconcilerState } from '../src/order.ts';
import { createProbe } from '../src/probe/probe.ts';
import { openTunnel } from '../src/probe/tunnel.ts';
import { createReconciler, type ReconcilerDeps } from '../src/reconciler.ts';
import { createDisk } from '../src/state/disk.ts';
import { findProcessesWith } from '../src/supervisor/find-processes.ts';
import { createProc } from '../src/supervisor/proc.ts';
import { restartDefaults } from '../src/supervisor/restart-policy.ts';
import { plainManifest, plainUnit } from './plain-manifest.ts';

/** An engine that ends is started again at once. */
export const quickRestarts = { ...restartDefaults, base_ms: 5, cap_ms: 10 };

export const singBoxPath = path.resolve(import.meta.dirname, '../../../.tools/bin/sing-box');

export interface Origin extends AsyncDisposable {
  readonly url: string;
  /** What it answers. */
  status: number;
}

async function startOrigin(): Promise<Origin> {
  const server = createServer((request, response) => {
    response.writeHead(request.url === '/stream' ? 200 : origin.status);
    if (request.url === '/stream') response.write('open\n');
    else response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    status: 204,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return origin;
}

/**
 * A loopback port that nobody listens on now. Below those that agents choose for slots (20,000 on) and that Linux gives to
 * outgoing connections (32,768 on): what runs beside a test takes those before the engine binds its own.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries += 1) {
    const port = 10_000 + Math.floor(Math.random() * 9_900);
    if (await isFree(port)) return port;
  }
  throw new Error('no free port was found');
}

const isFree = async (port: number): Promise<boolean> =>
  await new Promise((resolve) => {
    const server = createTcpServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });

/** Overlays made in this process: a child for each would only slow a test down. */
const overlayHere: RunOverlay = async ({ input, output, slot }) => {
  const { report, text } = makeOverlay(readFileSync(input, 'utf8'), slot);
  await writeAtomic(output, text);
  return report;
};

type Config = Record<string, unknown>;

/** A rendition with one mixed inbound that goes out directly. */
export const directConfig = (port: number, more: Config = {}): Config => ({
  inbounds: [{ type: 'mixed', tag: 'in', listen: '127.0.0.1', listen_port: port }],
  outbounds: [{ type: 'direct', tag: 'out' }],
  route: { final: 'out' },
  ...more,
});

export interface OrderOptions {
  readonly epoch?: number;
  readonly generation: number;
  readonly config?: Config;
  readonly configs?: Readonly<Record<string, Config>>;
  readonly unit?: Partial<Unit>;
  /** Content by the path that the config calls it. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
}

export interface Rig extends AsyncDisposable {
  readonly directory: string;
  readonly origin: Origin;
  readonly port: number;
  order(options: OrderOptions): Order;
  /** A reconciler on the directory of the rig; the engines outlive it. */
  open(deps?: Partial<ReconcilerDeps>): Promise<Reconciler>;
  /** One that has booted. */
  boot(deps?: Partial<ReconcilerDeps>): Promise<Reconciler>;
  /** One that has also committed generation 1, which goes out directly. */
  serve(deps?: Partial<ReconcilerDeps>, unit?: Partial<Unit>): Promise<Reconciler>;
  /** Forgets a reconciler that hangs in a machine that lost power. */
  abandon(reconciler: Reconciler): void;
  /** Pids of engines that run from the rig's slots. */
  engines(): number[];
  /** As a reboot of the machine does. */
  killEngines(): Promise<void>;
}

export async function openRig(): Promise<Rig> {
  const directory = mkdtempSync(path.join(process.env['SBOX_TEST_DIR'] ?? tmpdir(), 'sbox-agent-'));
  const origin = await startOrigin();
  const port = await freePort();
  const proc = createProc();
  const blobs = new Map<string, Uint8Array>();
  const opened: Reconciler[] = [];
  const engines = createEngineFinder({ candidates: [singBoxPath], spawn });

  const addBlob = (bytes: Uint8Array): { digest: string; size: number } => {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    blobs.set(digest, bytes);
    return { digest, size: bytes.length };
  };
  const unitOf = (name: string, config: Config, { unit, files = {} }: Pick<OrderOptions, 'unit' | 'files'>): Unit => {
    const listed = Object.entries(files).map(([file, content]) => ({ path: file, ...addBlob(content) }));
    return plainUnit({
      name,
      config: { ...addBlob(Buffer.from(JSON.stringify(config))), config_id: 'cfg_test', version: 1 },
      ...(listed.length === 0 ? {} : { files: listed }),
      probe: { urls: [origin.url], expect: [204], need: 1, timeout_ms: 2000 },
      watch_ms: 150,
      ...unit,
    });
  };

  const rig: Rig = {
    directory,
    origin,
    port,
    order({ epoch = 1, generation, config, configs, ...more }) {
      const wanted = configs ?? (config === undefined ? {} : { edge: config });
      return {
        source: 'manager',
        manifest: plainManifest({
          server_id: 'srv_test',
          epoch,
          generation,
          units: Object.entries(wanted).map(([name, one]) => unitOf(name, one, more)),
        }),
        blobs: {
          async fetch(digest) {
            const bytes = blobs.get(digest);
            if (bytes === undefined) throw new ProblemError('blob.not-found', digest);
            return await Promise.resolve(bytes);
          },
        },
      };
    },
    async open(deps = {}) {
      const reconciler = await createReconciler({
        stateDir: directory,
        engines,
        clock: systemClock,
        random: Math.random,
        randomBytes: (count) => randomBytes(count),
        spawn,
        kill: (pid, signal) => void process.kill(pid, signal),
        log: silentLogger,
        disk: createDisk(),
        overlay: overlayHere,
        ...deps,
        settings: {
          // For a machine that stands still for a moment; who means an engine that never gets ready says less.
          start_ms: 15_000,
          verify_ms: 1500,
          watch_every_ms: 50,
          poll_ms: 20,
          stop_ms: 3000,
          care_every_ms: 100,
          ...deps.settings,
        },
      });
      opened.push(reconciler);
      return reconciler;
    },
    async boot(deps) {
      const reconciler = await rig.open(deps);
      await reconciler.boot();
      return reconciler;
    },
    async serve(deps, unit = {}) {
      const reconciler = await rig.boot(deps);
      reconciler.offer(rig.order({ generation: 1, config: directConfig(port), unit }));
      await until(reconciler, isCommitted(1));
      return reconciler;
    },
    abandon: (reconciler) => void opened.splice(opened.indexOf(reconciler), 1),
    engines: () => findProcessesWith(proc, path.join(directory, 'slots')).map(({ pid }) => pid),
    async killEngines() {
      for (const pid of rig.engines()) process.kill(pid, 'SIGKILL');
      await untilTrue(() => rig.engines().length === 0);
    },
    async [Symbol.asyncDispose]() {
      for (const reconciler of opened) await reconciler[Symbol.asyncDispose]();
      for (const { pid } of findProcessesWith(proc, directory)) process.kill(pid, 'SIGKILL');
      await origin[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
  return rig;
}

/** Resolves with the first state that fits, now or later; fails with the last one that did not. */
export async function until(
  reconciler: Reconciler,
  fits: (state: ReconcilerState) => boolean,
  timeoutMs = 8000,
): Promise<ReconcilerState> {
  const waiting = Promise.withResolvers<ReconcilerState>();
  const check = (): void => {
    if (fits(reconciler.state)) waiting.resolve(reconciler.state);
  };
  using _ = reconciler.onChange(check);
  const timer = setTimeout(() => {
    waiting.reject(new Error(`never came to it: ${JSON.stringify(reconciler.state, undefined, 1)}`));
  }, timeoutMs).unref();
  check();
  return await waiting.promise.finally(() => clearTimeout(timer));
}

export const isCommitted =
  (generation: number) =>
  (state: ReconcilerState): boolean =>
    state.phase === 'committed' && state.committed?.generation === generation;

export const isRefused =
  (code: string) =>
  (state: ReconcilerState): boolean =>
    state.phase !== 'progressing' && state.nack?.code === code;

/** Sends one request through a mixed inbound and gives its status. */
export async function requestThrough(port: number, url: string): Promise<number> {
  const result = await createProbe(systemClock)(
    { address: '127.0.0.1', port, type: 'mixed' },
    { urls: [url], expect: [200, 204], need: 1, timeout_ms: 3000 },
  );
  if (!result.ok) throw new Error(result.detail);
  return Number(/\d+$/.exec(result.detail)?.[0]);
}

export interface Stream extends Disposable {
  readonly isOpen: boolean;
}

/** A request through a mixed inbound whose answer never ends. */
export async function openStream(port: number, origin: string): Promise<Stream> {
  const way = { address: '127.0.0.1', port, type: 'mixed' };
  const { hostname, port: target } = new URL(origin);
  const socket = await openTunnel(way, { host: hostname, port: Number(target) }, AbortSignal.timeout(3000));
  socket.on('error', () => {}).write('GET /stream HTTP/1.1\r\nhost: origin\r\n\r\n');
  await new Promise((resolve) => socket.once('data', resolve));
  let isOpen = true;
  socket.once('close', () => (isOpen = false));
  return {
    get isOpen() {
      return isOpen;
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

/** Resolves when the condition holds; looks again every few milliseconds, because nobody tells about processes. */
export async function untilTrue(condition: () => boolean, timeoutMs = 8000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`it did not become true in ${timeoutMs} ms`);
    await systemClock.sleep(10);
  }
}

/** A web proxy on loopback that a rendition can go out through; disposed, it is a dead node. */
export async function startUpstream(): Promise<AsyncDisposable & { readonly port: number }> {
  const sockets = new Set<Socket>();
  const server = createServer();
  server.on('connect', (request, socket: Socket) => {
    const [host = '', port] = (request.url ?? '').split(':');
    const target = connect({ host, port: Number(port) }, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      target.pipe(socket).pipe(target);
    });
    for (const end of [socket, target]) sockets.add(end.on('error', () => end.destroy()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A rendition that goes out through a web proxy on loopback. */
export const upstreamConfig = (port: number, upstream: number): Config =>
  directConfig(port, {
    outbounds: [{ type: 'http', tag: 'up', server: '127.0.0.1', server_port: upstream }],
    route: { final: 'up' },
  });
