import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { isoTime, printGeneration, ProblemError, type Generation } from '@sbox/core';
import { readIfExists, writeAtomic } from '@sbox/daemon/files';
import { openStateDirectory, readIdentity, statePaths, writeIdentity, type Identity } from '../identity/identity.ts';
import { bundleLimits, readBundle, verifyBundle, type OpenedBundle } from '../import/bundle.ts';
import { readTrust, writeTrust } from '../trust/trust-store.ts';
import { version } from '../version.ts';
import { arg, text, type Call } from './command.ts';
import { openLocalClient } from './local-client.ts';

/**
 * `sboxagent import FILE [--pin sha256:…]`: hands a bundle to the running agent, or leaves it where the next one finds
 * it. On a server that never saw its manager the pin says whom to believe, and the bundle which server this is.
 */
export async function importCommand(call: Call): Promise<void> {
  const { out, host } = call;
  const settings = await call.settings();
  const stateDir = path.resolve(settings.state_dir);
  const archive = await readArchive(path.resolve(arg(call, 0)));
  const opened = readBundle(archive);
  await openStateDirectory(stateDir);
  const identity = await settleIdentity(stateDir, opened, text(call, 'pin'), host.clock.now());
  const taken = await handOver(call, archive);
  if (taken) {
    const { conditions } = await (await openLocalClient(call)).status();
    const isHeld = conditions.some(({ type, status }) => type === 'Frozen' && status === 'true');
    const next = isHeld
      ? 'waits, because this server is held; to take it: sboxagent config release'
      : 'is taken, and tried next; see: sboxagent status';
    out.thing({ ...taken, state: isHeld ? 'held' : 'taken' }, () => `generation ${printGeneration(taken)} ${next}`);
    return;
  }
  const { manifest } = verifyBundle(opened, {
    pin: identity.pin,
    serverId: identity.server_id,
    trusted: await readTrust(stateDir, identity.pin),
    agentVersion: version,
    nowMs: host.clock.now(),
    accepted: null,
  });
  const { inbox } = statePaths(stateDir);
  await mkdir(inbox, { recursive: true, mode: 0o700 });
  await writeAtomic(path.join(inbox, 'bundle.sbox'), archive);
  const { epoch, generation } = manifest;
  out.thing(
    { epoch, generation, state: 'waiting' },
    () => `generation ${printGeneration(manifest)} is tried when the agent starts: sboxagent run`,
  );
}

export async function readArchive(file: string): Promise<Uint8Array> {
  const size = await stat(file).then(
    (stats) => stats.size,
    () => undefined,
  );
  if (size !== undefined && size > bundleLimits.maxBytes) {
    throw new ProblemError('bundle.invalid', `${file} is longer than ${bundleLimits.maxBytes} bytes`);
  }
  const archive = size === undefined ? undefined : await readIfExists(file);
  if (!archive) throw new ProblemError('file.not-found', file);
  return archive;
}

/** Who this server is: known already, or told by a bundle whose root key fits the pin. */
async function settleIdentity(
  stateDir: string,
  opened: OpenedBundle,
  pin: string | undefined,
  nowMs: number,
): Promise<Identity> {
  if (pin !== undefined && !/^sha256:[0-9a-f]{64}$/.test(pin)) {
    throw new ProblemError('command.usage', '--pin is not sha256: and 64 hex digits');
  }
  const known = await readIdentity(stateDir);
  if (known) {
    if (pin === undefined || pin === known.pin) return known;
    throw new ProblemError('manager.untrusted', 'this server belongs to a manager with another pin');
  }
  if (pin === undefined) {
    throw new ProblemError('agent.not-joined', 'this server does not know whom to believe', {
      fix: 'sboxagent import FILE --pin sha256:…',
    });
  }
  const { bundle } = opened;
  const { trusted } = verifyBundle(opened, {
    pin,
    serverId: bundle.server_id,
    trusted: undefined,
    agentVersion: version,
    nowMs,
    accepted: null,
  });
  const identity: Identity = {
    server_id: bundle.server_id,
    name: bundle.server_name,
    manager_urls: [],
    pin,
    joined_at: isoTime(nowMs),
  };
  await writeTrust(stateDir, trusted);
  await writeIdentity(stateDir, identity);
  return identity;
}

/** Undefined when no agent runs. */
async function handOver(call: Call, archive: Uint8Array): Promise<Generation | undefined> {
  try {
    return await (await openLocalClient(call)).import({ body: archive });
  } catch (error) {
    const isAway = error instanceof ProblemError && error.code === 'agent.unreachable';
    const code = isAway ? (error.cause as NodeJS.ErrnoException | undefined)?.code : undefined;
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return undefined;
    throw error;
  }
}
