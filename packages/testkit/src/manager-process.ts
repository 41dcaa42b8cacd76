// A manager as an operator starts it: its own process, its own data directory, its real command line.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { openConnection, type Connection } from '@sbox/cli/connection';
import { systemClock } from '@sbox/core';
import { runCommand, type Ended } from './commands.ts';
import { programFiles } from './programs.ts';
import { startProcess, type RunningProcess } from './processes.ts';
import { pinnedSingBox } from './sing-box.ts';

export interface ManagerProcessOptions {
  dir: string;
  /** Keeps the address over restarts; any free port otherwise. */
  port?: number;
  /** Listens with a certificate of the manager's own CA. */
  tls?: boolean;
  /** More settings, as environment variables without the prefix: `FETCH_TIMEOUT`. */
  settings?: Readonly<Record<string, string>>;
}

export interface ManagerProcess extends AsyncDisposable {
  readonly url: string;
  readonly client: Connection['client'];
  /** Carries requests with the token of the administrator. */
  readonly transport: Connection['transport'];
  /** The certificate of its own CA. */
  readonly caFile: string;
  /** `sboxmgr` with these words against this manager, as its administrator. */
  command(...words: string[]): Promise<Ended>;
  readonly process: RunningProcess;
  /** SIGKILL: nothing is flushed, nobody is told. */
  kill(): Promise<void>;
  /** Starts it again on the same data and address. */
  restart(): Promise<void>;
}

/** Loopback may be fetched from: providers of tests are there. */
export async function startManagerProcess({
  dir,
  port,
  tls = false,
  settings = {},
}: ManagerProcessOptions): Promise<ManagerProcess> {
  // Any port at first; after a restart the agents must find it where it was.
  let listenPort = port ?? 0;
  const start = async (): Promise<RunningProcess> =>
    await startProcess({
      command: process.execPath,
      args: [
        '--disable-warning=ExperimentalWarning',
        programFiles.sboxmgr,
        'serve',
        '--data',
        dir,
        '--engine',
        pinnedSingBox(),
        '--ready-json',
      ],
      env: {
        SBOXMGR_FETCH_ALLOW: '["127.0.0.0/8"]',
        SBOXMGR_LISTEN: JSON.stringify([{ address: `127.0.0.1:${listenPort}`, tls: tls ? 'on' : 'off' }]),
        ...Object.fromEntries(Object.entries(settings).map(([name, value]) => [`SBOXMGR_${name}`, value])),
      },
      logFile: `${dir}.log`,
      readyLine: /^\{"ready":true.*\}$/,
      readyTimeoutMs: 30_000,
    });
  let running = await start();
  const { url, admin_token_file: tokenFile } = JSON.parse(running.ready?.[0] ?? '{}') as {
    url: string;
    admin_token_file: string;
  };
  listenPort = Number(new URL(url).port);
  const closing = new AbortController();
  const token = (await readFile(tokenFile, 'utf8')).trim();
  const caFile = path.join(dir, 'certificates/ca.crt');
  const connection = await openConnection(
    { url, token, ca: tls ? await readFile(caFile, 'utf8') : undefined },
    { clock: systemClock, signal: closing.signal },
  );
  const commandEnv = {
    SBOXMGR_URL: url,
    SBOXMGR_TOKEN_FILE: tokenFile,
    ...(tls ? { SBOXMGR_CA_FILE: caFile } : {}),
  };
  return {
    url,
    client: connection.client,
    transport: connection.transport,
    caFile,
    command: async (...words) => await runCommand([programFiles.sboxmgr, ...words], commandEnv, path.dirname(dir)),
    get process() {
      return running;
    },
    async kill() {
      running.kill('SIGKILL');
      await running.exited;
    },
    async restart() {
      await running[Symbol.asyncDispose]();
      running = await start();
    },
    async [Symbol.asyncDispose]() {
      closing.abort(new Error('the test is over'));
      await Promise.resolve(connection[Symbol.asyncDispose]()).catch(() => {});
      await running[Symbol.asyncDispose]();
    },
  };
}
