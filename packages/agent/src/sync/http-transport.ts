import { messageOf, ProblemError, redactText, within, type Clock } from '@sbox/core';
import type { KeyPair } from '@sbox/daemon/keys';
import type { Logger } from '@sbox/daemon/log';
import { signRequest } from '@sbox/daemon/signature';
import { bootHeader, type Transport, type TransportAnswer, type TransportRequest } from '@sbox/protocol';
import type { buildConnector, Dispatcher, Pool as PoolType } from 'undici';
import request from 'undici/lib/api/api-request.js';
import Pool from 'undici/lib/dispatcher/pool.js';
import { directWay, openThrough, type ManagerWay } from './manager-way.ts';
import type { ServerClock } from './server-clock.ts';

export interface Signer {
  readonly serverId: string;
  /** Another one after a rotation: asked for each request. */
  readonly key: KeyPair;
}

/** One address and one way to it. */
export interface ManagerPlace {
  readonly url: string;
  readonly way: ManagerWay;
}

export interface HttpTransportOptions {
  /** Tried in turn, beginning with the one that answered last; a function where they change. */
  readonly urls: readonly string[] | (() => readonly string[]);
  /** Tried in turn for all addresses; direct only by default. */
  readonly ways?: readonly ManagerWay[];
  /** Another address answers than the one before. */
  readonly onMove?: (url: string) => void;
  /** PEM; then the manager must show a certificate of this CA. The certificates of the system otherwise. */
  readonly ca: string | null;
  /** Undefined for calls that need no signature. */
  readonly signer?: Signer;
  /** Which run of the agent asks. */
  readonly bootId?: string;
  readonly serverClock: ServerClock;
  readonly clock: Clock;
  readonly log: Logger;
  readonly connectTimeoutMs: number;
  /** Believes any certificate; only to fetch what is checked against a pin afterwards. */
  readonly isUnverified?: boolean;
}

export interface HttpTransport extends AsyncDisposable {
  readonly send: Transport;
  /** The address that answered last. */
  readonly url: string;
  /** Where the next request goes first. */
  readonly place: ManagerPlace;
  /** The addresses changed: the next request begins with the first of them. */
  reset(): void;
}

/** Certificates of a manager's own CA carry this name beside its addresses, so that any address may be used. */
const managerName = 'manager.sbox.internal';
/** Status, blob and the question that the manager holds do not wait for each other. */
const connections = 3;
const headersTimeoutMs = 10_000;
const bodyTimeoutMs = 30_000;
/** For a whole answer, however slowly it drips. */
const answerTimeoutMs = 300_000;
const maxAnswerBytes = 16 * 1024 * 1024;
const empty = new Uint8Array();
/** While a detour works, the first way is tried so often; one request pays for it when it is still dead. */
const firstWayEveryMs = 300_000;

/** TLS options that pin the CA of a manager. */
export const pinnedTls = (ca: string | null): { ca?: string; servername?: string } =>
  ca === null ? {} : { ca, servername: managerName };

/**
 * Requests to a manager: each signed, logged without secrets, bounded in time and size. A wrong clock is mended once
 * with the time that the manager tells. @throws ProblemError `manager.unreachable`, `manager.untrusted`
 */
export function createHttpTransport(options: HttpTransportOptions): HttpTransport {
  const { clock, log, serverClock, signer } = options;
  const pools = createPools(options);
  const places = createPlaces(options);

  const sendTo = async ({ url, way }: ManagerPlace, wanted: TransportRequest): Promise<TransportAnswer> => {
    const startedMs = clock.monotonic();
    const fields = { method: wanted.method, path: wanted.path.split('?')[0], url, via: way.via };
    try {
      const limit = { clock, ms: answerTimeoutMs, signal: wanted.signal };
      const answer = await within(limit, async (signal) => {
        return await exchange(pools.poolOf({ url, way }), { ...(await signed(wanted, options)), signal });
      });
      log.debug('manager answered', {
        ...fields,
        status: answer.status,
        bytes: answer.body.length,
        ms: Math.round(clock.monotonic() - startedMs),
      });
      return answer;
    } catch (error) {
      wanted.signal?.throwIfAborted();
      const problem = toProblem(error, url);
      log.debug('manager did not answer', { ...fields, code: problem.code, error: problem.message });
      throw problem;
    }
  };

  const sendToFirst = async (wanted: TransportRequest): Promise<TransportAnswer> => {
    let last = new ProblemError('manager.unreachable', 'no address of a manager is known', {
      fix: 'sboxagent join URL --token-file FILE',
    });
    let front: TransportAnswer | undefined;
    for (const place of places.inTurn()) {
      try {
        const answer = await sendTo(place, wanted);
        if (isFrontAlone(answer)) {
          front ??= answer;
          continue;
        }
        places.answered(place);
        return answer;
      } catch (error) {
        if (!(error instanceof ProblemError)) throw error;
        last = error;
      }
    }
    if (front) return front;
    throw last;
  };

  return {
    get url() {
      return places.first.url;
    },
    get place() {
      return places.first;
    },
    reset: places.reset,
    send: async (wanted) => {
      const [signedWithMs, signedBy] = [serverClock.offsetMs, signer?.key];
      const answer = await sendToFirst(wanted);
      if (answer.status === 401) serverClock.learn(answer.body);
      // Another request may have learned it meanwhile; what counts is that this one was signed for another time or key.
      const isStale = serverClock.offsetMs !== signedWithMs || signer?.key !== signedBy;
      return answer.status === 401 && isStale ? await sendToFirst(wanted) : answer;
    },
    [Symbol.asyncDispose]: pools[Symbol.asyncDispose],
  };
}

/** What stands before a manager says that it is not there: a manager's own words are problems. */
const isFrontAlone = ({ status, headers }: TransportAnswer): boolean =>
  status >= 502 && status <= 504 && headers['content-type']?.startsWith('application/problem+json') !== true;

interface Places {
  readonly first: ManagerPlace;
  /** Every place once, in the order in which one request tries them. */
  inTurn(): readonly ManagerPlace[];
  answered(place: ManagerPlace): void;
  reset(): void;
}

/** What is not encrypted belongs on this machine only, and no engine carries it away. */
const mayGo = (url: string, { via }: ManagerWay): boolean => via !== 'engine' || url.startsWith('https:');

const nowhere: ManagerPlace = { url: '', way: directWay };

/** Which places there are: every address by the first way, then every address by the next one, the last good one first. */
function createPlaces({ urls, ways = [directWay], clock, onMove }: HttpTransportOptions): Places {
  let preferred: ManagerPlace | undefined;
  let detourEndsMs = 0;
  const all = (): ManagerPlace[] => {
    const known = typeof urls === 'function' ? urls() : urls;
    const open = ways.filter(({ via, proxy }) => via !== 'engine' || proxy() !== undefined);
    return open.flatMap((way) => known.filter((url) => mayGo(url, way)).map((url) => ({ url, way })));
  };
  const rotated = (): ManagerPlace[] => {
    const list = all();
    const start = Math.max(
      0,
      list.findIndex(({ url, way }) => url === preferred?.url && way === preferred.way),
    );
    return [...list.slice(start), ...list.slice(0, start)];
  };
  return {
    get first() {
      return rotated()[0] ?? nowhere;
    },
    inTurn() {
      const isDetour = preferred !== undefined && preferred.way !== ways[0];
      if (!isDetour || clock.monotonic() < detourEndsMs) return rotated();
      detourEndsMs = clock.monotonic() + firstWayEveryMs;
      return all();
    },
    answered(place) {
      const before = preferred;
      preferred = place;
      if (before?.way !== place.way) detourEndsMs = clock.monotonic() + firstWayEveryMs;
      if (before?.url !== place.url) onMove?.(place.url);
    },
    reset() {
      preferred = undefined;
    },
  };
}

interface Pools extends AsyncDisposable {
  poolOf(place: ManagerPlace): PoolType;
}

function createPools({ clock, ca, connectTimeoutMs, isUnverified = false }: HttpTransportOptions): Pools {
  const limit = { clock, ms: connectTimeoutMs };
  const pools = new Map<string, PoolType>();
  const tls = { ...pinnedTls(ca), ...(isUnverified ? { rejectUnauthorized: false } : {}) };
  const make = ({ url, way }: ManagerPlace): PoolType => {
    const origin = new URL(url);
    const open = async (done: buildConnector.Callback): Promise<void> => {
      try {
        done(null, await within(limit, async (signal) => await openThrough(way, origin, tls, signal)));
      } catch (error) {
        done(error instanceof Error ? error : new Error(messageOf(error)), null);
      }
    };
    const through: buildConnector.connector = (_options, done) => void open(done);
    const connect = way.via === 'direct' ? { timeout: connectTimeoutMs, ...tls } : through;
    return new Pool(origin.origin, { connections, bodyTimeout: bodyTimeoutMs, allowH2: false, connect });
  };
  return {
    poolOf(place) {
      const name = `${place.way.via} ${place.url}`;
      const pool = pools.get(name) ?? make(place);
      pools.set(name, pool);
      return pool;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...pools.values()].map(async (pool) => await pool.destroy()));
    },
  };
}

async function signed(
  { method, path, headers: given, body }: TransportRequest,
  { signer, clock, serverClock, bootId }: HttpTransportOptions,
): Promise<Dispatcher.RequestOptions> {
  const headers = bootId === undefined ? given : { ...given, [bootHeader]: bootId };
  const waitS = Number(/(?:^|,)\s*wait=(\d{1,4})/.exec(headers['prefer'] ?? '')?.[1] ?? 0);
  return {
    method,
    path,
    body: body ?? null,
    headersTimeout: headersTimeoutMs + waitS * 1000,
    headers: signer
      ? await signRequest(
          { method, path, headers, body: body ?? empty },
          signer.serverId,
          signer.key,
          clock,
          serverClock.offsetMs,
        )
      : { ...headers },
  };
}

async function exchange(pool: PoolType, options: Dispatcher.RequestOptions): Promise<TransportAnswer> {
  const answer = await request.call(pool, options);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxAnswerBytes)
      throw new ProblemError('manager.unreachable', `its answer is longer than ${maxAnswerBytes} bytes`);
    chunks.push(chunk);
  }
  const headers = Object.entries(answer.headers).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.join(', ') : value,
  ]);
  return {
    status: answer.statusCode,
    headers: Object.fromEntries(headers) as Record<string, string>,
    body: Buffer.concat(chunks),
  };
}

/** Codes of OpenSSL's verification and of Node's name check: there is a server, but not the one that was pinned. */
const isUntrusted = (code: string): boolean => /CERT|SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)/.test(code);

function toProblem(error: unknown, url: string): ProblemError {
  if (error instanceof ProblemError) return error;
  const { code = '' } = error as { code?: string };
  const detail = redactText(`${url}: ${messageOf(error) || code}`);
  return new ProblemError(isUntrusted(code) ? 'manager.untrusted' : 'manager.unreachable', detail, { cause: error });
}
