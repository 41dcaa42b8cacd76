import { Writable } from 'node:stream';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { arg, text, type Call } from '../command.ts';
import { readText } from '../read-file.ts';
import { findEngine } from '../engine.ts';

const settingsFile = '/etc/sboxmgr/manager.yaml';

/** Where the settings come from: what was typed, the environment, the file. */
export async function settingsInput(call: Call) {
  const { host } = call;
  const named = text(call, 'config');
  const file = named === undefined ? settingsFile : path.resolve(host.cwd, named);
  const files = named !== undefined || existsSync(file) ? [{ name: file, text: await readText(file) }] : [];
  const data = text(call, 'data');
  const listen = text(call, 'listen');
  const flags = {
    data_dir: data === undefined ? undefined : path.resolve(host.cwd, data),
    listen: listen === undefined ? undefined : [{ address: listen }],
    'engine.path': text(call, 'engine'),
    'log.level': text(call, 'logLevel'),
  };
  return { files, flags, environment: host.env };
}

/** The manager is loaded only here: nothing else on the command line pays for it. */
export const serve = async (call: Call): Promise<void> => {
  const { host } = call;
  const input = await settingsInput(call);
  // Versions are checked before they are deployed wherever an engine is at hand.
  const engine = await findEngine(input.flags['engine.path'], host).catch(() => undefined);
  const manager = await import('@sbox/manager/serve');
  await manager.serve(
    {
      ...input,
      flags: { ...input.flags, 'engine.path': engine?.path ?? input.flags['engine.path'] },
      ready: call.options['readyJson'] === true,
      ...(host.isTerminal ? { onReady: (ready) => call.out.talk(hints(ready)) } : {}),
    },
    {
      stdout: { write: host.stdout },
      stderr: new Writable({
        write(chunk: Buffer, _, done) {
          host.stderr(chunk.toString());
          done();
        },
      }),
      signal: host.signal,
    },
  );
};

interface Ready {
  readonly url: string;
  readonly adminTokenFile: string;
  readonly caFile: string;
}

/** What to type in another terminal. An address that stands for all of them is no address to call. */
function hints({ url, adminTokenFile, caFile }: Ready): string {
  const address = url.replace(/\/\/(0\.0\.0\.0|\[::\]):/, '//127.0.0.1:');
  const ca = url.startsWith('https:') ? ` SBOXMGR_CA_FILE=${caFile}` : '';
  return [
    `manager at ${url}; Ctrl C stops it. In another terminal:`,
    `  export SBOXMGR_URL=${address} SBOXMGR_TOKEN_FILE=${adminTokenFile}${ca}`,
    '  sboxmgr subscription add NAME URL   ·   sboxmgr server token   ·   sboxmgr status',
  ].join('\n');
}

export const rotateKey = async (call: Call): Promise<void> => {
  const manager = await import('@sbox/manager/serve');
  const rotated = await manager.rotateKey(await settingsInput(call));
  await call.out.thing(
    rotated,
    () => `orders are signed by key ${rotated.keyid} from the next start on\nnext:  sboxmgr serve`,
  );
};

export const explainSetting = async (call: Call): Promise<void> => {
  const manager = await import('@sbox/manager/serve');
  const found = manager.explainSetting(await settingsInput(call), arg(call, 0));
  await call.out.thing(found, () => `${found.key} = ${JSON.stringify(found.value)}   (${found.layer}: ${found.from})`);
};
