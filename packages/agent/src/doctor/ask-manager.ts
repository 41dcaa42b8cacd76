import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, ProblemError } from '@sbox/core';
import { openKeyPair, type KeyPair } from '@sbox/daemon/keys';
import { silentLogger } from '@sbox/daemon/log';
import { statePaths, type Identity } from '../identity/identity.ts';
import { readOwn } from '../state/disk.ts';
import { createAgentClient } from '../sync/agent-client.ts';
import { createHttpTransport } from '../sync/http-transport.ts';
import { waysOf, type ManagerWay } from '../sync/manager-way.ts';
import { createServerClock } from '../sync/server-clock.ts';
import { checkTrust, requireCa } from '../trust/trust-store.ts';
import type { Scene } from './scene.ts';

/** What one address of the manager answered, by one way. */
export interface ManagerAnswer {
  readonly url: string;
  readonly via: ManagerWay['via'];
  /** Undefined: it answers, it is the pinned one, and it knows this server. */
  readonly problem: ProblemError | undefined;
  /** How far this clock is behind the manager's; undefined when it said nothing. */
  readonly skewMs: number | undefined;
}

/** For one address by one way. */
const [connectTimeoutMs, answerTimeoutMs] = [5000, 12_000];
const asked = new WeakMap<Scene, Promise<readonly ManagerAnswer[]>>();

/** Asks every address by every way once, however many checks want to know. Empty on a server that has no manager. */
export async function askManagers(scene: Scene): Promise<readonly ManagerAnswer[]> {
  const known = asked.get(scene) ?? askAll(scene);
  asked.set(scene, known);
  return await known;
}

async function askAll(scene: Scene): Promise<readonly ManagerAnswer[]> {
  const identity = await scene.identity().catch(() => undefined);
  if (identity === undefined) return [];
  const ways = await openWays(scene);
  const urls = await knownUrls(scene, identity);
  return await Promise.all(urls.flatMap((url) => ways.map(async (way) => await ask(scene, { identity, url, way }))));
}

/** Every address under which the manager may be found. */
export const knownUrls = async (scene: Scene, identity: Identity): Promise<string[]> => [
  ...new Set([...(await scene.urls()), ...(await learnedUrls(scene, identity))]),
];

/** As the settings allow; through an engine only while one runs. */
async function openWays({ settings, state, engines }: Scene): Promise<readonly ManagerWay[]> {
  const inbound = (await state()).current.flatMap(({ report }) => report.probe ?? [])[0];
  const hasEngine = engines().length > 0 && inbound !== undefined;
  return waysOf(settings.manager, () => inbound).filter(({ via }) => via !== 'engine' || hasEngine);
}

/** What manifests named: see `sync/manager-addresses.ts`. */
async function learnedUrls({ stateDir }: Scene, { server_id: serverId }: Identity): Promise<string[]> {
  const bytes = await readFile(path.join(stateDir, 'addresses.json')).catch(() => undefined);
  const found = readOwn(bytes) as { server_id?: unknown; learned?: unknown; candidates?: unknown } | undefined;
  if (found?.server_id !== serverId) return [];
  return [found.learned, found.candidates].flat().filter((url): url is string => typeof url === 'string');
}

interface Asking {
  readonly identity: Identity;
  readonly url: string;
  readonly way: ManagerWay;
}

/** First what needs no signature, to see who answers; then the question that the agent asks all day. */
async function ask(scene: Scene, { identity, url, way }: Asking): Promise<ManagerAnswer> {
  const { clock } = scene;
  const trusted = await scene.trusted().catch(() => undefined);
  const keys = await openKeys(scene);
  let key = keys[0];
  let date = Number.NaN;
  try {
    const ca = trusted ? requireCa(trusted) : null;
    const shared = { urls: [url], ways: [way], ca, clock, log: silentLogger, connectTimeoutMs };
    await using transport = createHttpTransport({
      ...shared,
      serverClock: createServerClock(clock),
      ...(key === undefined
        ? {}
        : {
            signer: {
              serverId: identity.server_id,
              get key() {
                return key as KeyPair;
              },
            },
          }),
    });
    const client = createAgentClient(async (request) => {
      const answer = await transport.send(request);
      date = Date.parse(answer.headers['date'] ?? '');
      return answer;
    });
    const signal = AbortSignal.timeout(answerTimeoutMs);
    checkTrust(await client.trust({}, signal), identity.pin);
    for (key of keys)
      if (await isKnown(async () => await client.desired({ headers: {} }, signal), key === keys.at(-1))) break;
    return { url, via: way.via, problem: undefined, skewMs: skewOf(date, clock.now()) };
  } catch (error) {
    const isProblem = error instanceof ProblemError;
    const problem = isProblem ? error : new ProblemError('manager.unreachable', messageOf(error), { cause: error });
    return { url, via: way.via, problem, skewMs: skewOf(date, clock.now()) };
  }
}

/** False when the manager does not know the key, and there is another one to try: a rotation may be half done. */
async function isKnown(question: () => Promise<unknown>, isLast: boolean): Promise<boolean> {
  try {
    await question();
    return true;
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    // A server that nothing was deployed to is known to its manager all the same.
    if (error.code === 'server.not-assigned') return true;
    if (error.code === 'auth.signature-invalid' && !isLast) return false;
    throw error;
  }
}

const skewOf = (date: number, now: number): number | undefined => (Number.isNaN(date) ? undefined : date - now);

/** The keys that are there, see `identity/server-keys.ts`; looking makes none. */
async function openKeys({ stateDir }: Scene): Promise<KeyPair[]> {
  const { key } = statePaths(stateDir);
  const found = [key, `${key}.next`, `${key}.previous`].map(async (file) => {
    try {
      await access(file);
      return [await openKeyPair(file)];
    } catch {
      return [];
    }
  });
  return (await Promise.all(found)).flat();
}
