import { statfs } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, printDuration } from '@sbox/core';
import { silentLogger } from '@sbox/daemon/log';
import { readIdentity, type Identity } from '../identity/identity.ts';
import { createAgentClient } from '../sync/agent-client.ts';
import { createHttpTransport } from '../sync/http-transport.ts';
import { createServerClock, skewLimitMs } from '../sync/server-clock.ts';
import { readTrust, requireCa, checkTrust, type Trusted } from '../trust/trust-store.ts';
import type { Call } from './command.ts';
import { findEngine } from './find-engine.ts';
import { openLocalClient } from './local-client.ts';

interface Finding {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
}

const leastFreeBytes = 200 * 1024 * 1024;
const plausibleNowMs = Date.UTC(2025, 0, 1);
const connectTimeoutMs = 5000;

/** `sboxagent doctor`: every check, then 1 when one of them failed. */
export async function doctorCommand(call: Call): Promise<number> {
  const settings = await call.settings();
  const stateDir = path.resolve(settings.state_dir);
  const identity = await readIdentity(stateDir).catch(() => undefined);
  const trusted = identity && (await readTrust(stateDir, identity.pin).catch(() => undefined));
  const urls = settings.manager.urls.length > 0 ? settings.manager.urls : (identity?.manager_urls ?? []);
  const checks: readonly (readonly [string, () => Promise<string>])[] = [
    ['clock', async () => await checkClock(call)],
    ['engine', async () => await checkEngine(call)],
    ['state', async () => await checkDisk(stateDir)],
    ['identity', async () => await checkIdentity(identity)],
    ...(identity ? [['trust', async () => await checkTrusted(trusted)] as const] : []),
    ...(identity && urls.length > 0
      ? [['manager', async () => await checkManager(call, identity, trusted, urls)] as const]
      : []),
    ['agent', async () => (await (await openLocalClient(call)).health()).phase],
  ];
  const findings: Finding[] = [];
  for (const [check, look] of checks) {
    findings.push(
      await look().then(
        (detail) => ({ check, ok: true, detail }),
        (error: unknown) => ({ check, ok: false, detail: messageOf(error) }),
      ),
    );
  }
  const rows = findings.map(({ check, ok, detail }) => [ok ? 'ok' : 'failed', check, detail]);
  call.out.thing({ checks: findings }, () => call.out.table(['', 'CHECK', 'DETAIL'], rows));
  return findings.every(({ ok }) => ok) ? 0 : 1;
}

async function checkClock({ host }: Call): Promise<string> {
  const now = host.clock.now();
  if (now < plausibleNowMs) throw new Error(`the clock says ${new Date(now).toISOString()}`);
  return await Promise.resolve(new Date(now).toISOString());
}

async function checkEngine(call: Call): Promise<string> {
  const engine = await findEngine(call);
  if (!engine) throw new Error('no sing-box was found; set engine.sing_box or SBOX_SING_BOX');
  return `${engine.kind} ${engine.version} at ${engine.path}`;
}

async function checkDisk(stateDir: string): Promise<string> {
  const { bavail, bsize } = await statfs(stateDir);
  const free = bavail * bsize;
  const text = `${stateDir}: ${Math.round(free / 1024 / 1024)} MiB free`;
  if (free < leastFreeBytes) throw new Error(text);
  return text;
}

async function checkIdentity(identity: Identity | undefined): Promise<string> {
  if (!identity) throw new Error('this server has not joined; sboxagent join URL --token-file FILE');
  return await Promise.resolve(`${identity.name} (${identity.server_id})`);
}

async function checkTrusted(trusted: Trusted | undefined): Promise<string> {
  if (!trusted) throw new Error('the trust document is missing or was changed; join again');
  return await Promise.resolve(`version ${trusted.trust.version}, keys ${[...trusted.keys.keys()].join(', ')}`);
}

/** Asks for what needs no signature, so that looking changes nothing; a signed answer would be the server's own. */
async function checkManager(
  { host }: Call,
  identity: Identity,
  trusted: Trusted | undefined,
  urls: readonly string[],
): Promise<string> {
  const { clock } = host;
  const serverClock = createServerClock(clock);
  const ca = trusted ? requireCa(trusted) : null;
  await using transport = createHttpTransport({ urls, ca, clock, serverClock, log: silentLogger, connectTimeoutMs });
  let date = Number.NaN;
  const client = createAgentClient(async (request) => {
    const answer = await transport.send(request);
    date = Date.parse(answer.headers['date'] ?? '');
    return answer;
  });
  checkTrust(await client.trust({}, host.signal), identity.pin);
  const skewMs = Number.isNaN(date) ? 0 : Math.abs(date - clock.now());
  if (skewMs > skewLimitMs)
    throw new Error(`the clock of this server differs by ${printDuration(skewMs)} from ${transport.url}`);
  return `${transport.url} answers and is the pinned one`;
}
