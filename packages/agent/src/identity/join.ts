import { unlink } from 'node:fs/promises';
import os from 'node:os';
import { isoTime, parseJoinToken, ProblemError, toBase64, type Clock } from '@sbox/core';
import { readIfExists } from '@sbox/daemon/files';
import type { KeyPair } from '@sbox/daemon/keys';
import type { Logger } from '@sbox/daemon/log';
import { agentRoutes, createClient, enrolProofText, type EngineReport } from '@sbox/protocol';
import { createHttpTransport, type HttpTransportOptions } from '../sync/http-transport.ts';
import { directWay, type ManagerWay } from '../sync/manager-way.ts';
import { isOpenWire } from '../sync/open-wire.ts';
import { createServerClock } from '../sync/server-clock.ts';
import { checkTrust, requireCa, writeTrust, type Trusted } from '../trust/trust-store.ts';
import { agentFacts } from './agent-facts.ts';
import { openServerKey, openStateDirectory, readIdentity, writeIdentity, type Identity } from './identity.ts';

export interface JoinOptions {
  readonly url: string;
  readonly tokenFile: string;
  /** The host name otherwise; the manager may have chosen one with the token. */
  readonly name?: string | undefined;
  readonly stateDir: string;
  readonly engines: readonly EngineReport[];
  /** How to reach the manager; directly by default. */
  readonly ways?: readonly ManagerWay[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal?: AbortSignal;
}

const connectTimeoutMs = 5000;
const maxTokenBytes = 4096;

/**
 * Joins a manager: checks it against the token's pin before anything secret is sent, over a connection that its own CA
 * vouches for. May be repeated after a lost answer: the key stays the same.
 * @throws ProblemError `join-token.*`, `manager.untrusted`, `manager.unreachable`, `file.not-found`, `settings.unsafe`
 */
export async function join(options: JoinOptions): Promise<Identity> {
  const { url, tokenFile, stateDir, clock, log } = options;
  const token = parseJoinToken(await readToken(tokenFile));
  await openStateDirectory(stateDir);
  // A damaged one is what joining again mends.
  const before = await readIdentity(stateDir).catch(() => undefined);
  const pin = `sha256:${Buffer.from(token.pin).toString('hex')}`;
  const key = await openServerKey(stateDir);
  const trusted = await fetchTrust(options, pin);
  refuseOpenWire(url, trusted);
  const { ways = [directWay] } = options;
  const shared = {
    urls: [new URL(url).origin],
    ways,
    clock,
    log,
    connectTimeoutMs,
    serverClock: createServerClock(clock),
  };
  await using transport = createHttpTransport({ ...shared, ca: requireCa(trusted) } satisfies HttpTransportOptions);
  const answer = await createClient(agentRoutes, transport.send).enrol(
    { body: enrolBody({ id: token.id, secret: token.secret }, key, options) },
    options.signal,
  );
  const identity: Identity = {
    server_id: answer.server_id,
    name: answer.name,
    manager_urls: [new URL(url).origin],
    pin,
    joined_at: isoTime(clock.now()),
  };
  await writeTrust(stateDir, trusted);
  await writeIdentity(stateDir, identity);
  await unlink(tokenFile).catch((error: unknown) => {
    log.warn('token file not removed', { error: String(error) });
  });
  if (before && before.server_id !== identity.server_id) log.info('joined anew', { before: before.server_id });
  return identity;
}

async function readToken(file: string): Promise<string> {
  const bytes = await readIfExists(file);
  if (!bytes) throw new ProblemError('file.not-found', file);
  return bytes.subarray(0, maxTokenBytes).toString('utf8').trim();
}

/**
 * Over any certificate: what comes is worth nothing before the pin says so.
 * @throws ProblemError `manager.untrusted`, `manager.unreachable`
 */
export async function fetchTrust(
  options: Pick<JoinOptions, 'url' | 'ways' | 'clock' | 'log' | 'signal'>,
  pin: string,
): Promise<Trusted> {
  const { url, ways = [directWay], clock, log, signal } = options;
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? '')) {
    throw new ProblemError('command.usage', `${url} is no http or https address`);
  }
  const shared = { urls: [new URL(url).origin], ways, ca: null, clock, log, connectTimeoutMs };
  await using transport = createHttpTransport({ ...shared, isUnverified: true, serverClock: createServerClock(clock) });
  return checkTrust(await createClient(agentRoutes, transport.send).trust({}, signal), pin);
}

/** The secret of the token must not cross a network in the clear. */
function refuseOpenWire(url: string, { trust }: Trusted): void {
  if (!isOpenWire(new URL(url))) return;
  throw new ProblemError('settings.unsafe', `${url} would send the secret of the join token in the clear`, {
    fix:
      trust.ca_sha256 === null
        ? 'Use the https address of the manager.'
        : 'Use https; the certificate of the manager is pinned by the token.',
  });
}

function enrolBody(token: { id: string; secret: string }, key: KeyPair, { name, engines }: JoinOptions) {
  const publicKey = toBase64(key.publicKey);
  return {
    token_id: token.id,
    secret: token.secret,
    public_key: publicKey,
    proof: toBase64(key.sign(Buffer.from(enrolProofText(token.id, publicKey)))),
    name: name ?? serverName(os.hostname()),
    agent: agentFacts(),
    engines: engines.map((engine) => ({ ...engine, tags: [...engine.tags] })),
  };
}

/** A host name as a server's name: letters, digits, `.`, `_`, `-`. */
export const serverName = (hostName: string): string =>
  hostName
    .replaceAll(/[^a-zA-Z0-9._-]/g, '-')
    .replace(/^[^a-zA-Z0-9]+/, '')
    .slice(0, 64) || 'server';
