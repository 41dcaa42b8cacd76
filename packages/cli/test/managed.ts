import type { Host } from '../src/index.ts';
import { openTestHost, singBox, type Ran, type TestHost } from './test-host.ts';

export interface Managed extends AsyncDisposable {
  readonly host: TestHost;
  readonly url: string;
  readonly run: (...words: string[]) => Promise<Ran>;
  /** The same with more variables, and more of this machine. */
  readonly runWith: (
    env: Readonly<Record<string, string>>,
    ...words: readonly (string | Partial<Host>)[]
  ) => Promise<Ran>;
  /** Ends the manager and starts another on the same data. */
  restart(): Promise<void>;
}

interface Served {
  readonly url: string;
  readonly adminTokenFile: string;
  stop(): Promise<void>;
}

/** A real manager, started by the command that starts it, and a command line that talks to it. */
export async function openManaged(): Promise<Managed> {
  const host = openTestHost();
  let served = await startServing(host);
  const runWith: Managed['runWith'] = async (more, ...given) => {
    const { url, adminTokenFile } = served;
    const env = { SBOX_SING_BOX: singBox, SBOXMGR_URL: url, SBOXMGR_TOKEN_FILE: adminTokenFile, ...more };
    const typed = given.filter((one) => typeof one === 'string');
    const machine = given.find((one) => typeof one !== 'string');
    return await host.run(typed, { ...machine, env });
  };
  return {
    host,
    get url() {
      return served.url;
    },
    run: async (...typed) => await runWith({}, ...typed),
    runWith,
    async restart() {
      await served.stop();
      served = await startServing(host);
    },
    [Symbol.asyncDispose]: async () => {
      await served.stop();
      host[Symbol.dispose]();
    },
  };
}

async function startServing(host: TestHost): Promise<Served> {
  const stopping = new AbortController();
  let hear: (line: string) => void = () => undefined;
  const ready = new Promise<string>((resolve) => {
    hear = resolve;
  });
  const words = ['serve', '--data', 'data', '--listen', '127.0.0.1:0', '--engine', singBox, '--ready-json'];
  const served = host.run(words, {
    signal: stopping.signal,
    stdout: (text) => {
      if (text.startsWith('{')) hear(text);
    },
  });
  const first = await Promise.race([ready, served]);
  if (typeof first !== 'string') throw new Error(first.stderr);
  return {
    ...readReady(first),
    async stop() {
      stopping.abort();
      await served;
    },
  };
}

function readReady(line: string): { url: string; adminTokenFile: string } {
  const ready = JSON.parse(line) as Record<string, string>;
  return { url: ready['url'] ?? '', adminTokenFile: ready['admin_token_file'] ?? ready['adminTokenFile'] ?? '' };
}
