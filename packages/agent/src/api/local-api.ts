import { chmod } from 'node:fs/promises';
import type { Clock, NewId } from '@sbox/core';
import type { Logger } from '@sbox/daemon/log';
import { createApp, mount, startListener, type Gatekeeper, type Listener } from '@sbox/daemon/serve';
import { localRoutes } from '@sbox/protocol';
import type { AgentSettings } from '../settings/schema.ts';
import { createSocketGatekeeper, createTcpGatekeeper, isSocketPath, refuseUnsafeApi } from './local-guard.ts';
import type { LocalApiDeps } from './local-api-deps.ts';
import { createLocalHandlers } from './local-handlers.ts';

export interface LocalApiOptions extends LocalApiDeps {
  readonly settings: AgentSettings['api'];
  /** The socket file in the state directory, for the commands of this server. */
  readonly socketFile: string;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly log: Logger;
}

export interface LocalApi extends AsyncDisposable {
  /** Where it listens beside the socket file. */
  readonly address: string | undefined;
}

/** Bundles come through here. */
const maxBodyBytes = 64 * 1024 * 1024;
/** Of an address of a Unix socket (unix(7)), without the zero at its end. */
const maxSocketPathBytes = 107;

/**
 * The agent's own API: always on a socket file in the state directory, and where the settings say.
 * @throws ProblemError `settings.unsafe`, `settings.invalid`, `port.in-use`
 */
export async function startLocalApi(options: LocalApiOptions): Promise<LocalApi> {
  const { settings, socketFile, log, clock } = options;
  if (settings.enabled) refuseUnsafeApi(settings);
  await using started = new AsyncDisposableStack();
  let own: Listener | undefined;
  if (Buffer.byteLength(socketFile) <= maxSocketPathBytes) {
    own = started.use(await listenOn(socketFile, createSocketGatekeeper(), undefined, options));
  } else log.warn('no socket file: its path is too long', { path: socketFile });
  const { host, port, security } = settings;
  let listener: Listener | undefined;
  if (settings.enabled && isSocketPath(host)) {
    listener =
      host === own?.address ? own : started.use(await listenOn(host, createSocketGatekeeper(), undefined, options));
  } else if (settings.enabled) {
    if (!security.auth_enabled) log.warn('the local API asks nobody for a token', { host });
    const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    const hostNames = new Set(['localhost', '127.0.0.1', '[::1]', host.toLowerCase()]);
    listener = started.use(await listenOn(address, createTcpGatekeeper(settings, clock), hostNames, options));
  }
  const running = started.move();
  return {
    address: listener?.address,
    [Symbol.asyncDispose]: async () => await running.disposeAsync(),
  };
}

async function listenOn(
  address: string,
  gatekeeper: Gatekeeper,
  hostNames: ReadonlySet<string> | undefined,
  options: LocalApiOptions,
): Promise<Listener> {
  const { settings, log, clock, newId } = options;
  const { cors } = settings.security;
  const corsOrigins = cors.enabled ? cors.allowed_origins : [];
  const app = createApp({ log, clock, newId, corsOrigins, ...(hostNames ? { hostNames } : {}) });
  const handlers = createLocalHandlers(options);
  mount(app, localRoutes, handlers, { gatekeeper, maxBodyBytes });
  if (settings.metrics.enabled) {
    const route = { ...localRoutes.metrics, path: settings.metrics.prometheus_endpoint as `/${string}` };
    mount(app, { metrics: route }, { metrics: handlers.metrics }, { gatekeeper, maxBodyBytes });
  }
  const listener = await startListener({ address, fetch: app.fetch });
  if (isSocketPath(address)) await chmod(address, 0o660);
  return listener;
}
