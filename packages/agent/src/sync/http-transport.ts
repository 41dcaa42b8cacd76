import { messageOf, ProblemError, redactText, type Clock } from '@sbox/core';
import type { KeyPair } from '@sbox/daemon/keys';
import type { Logger } from '@sbox/daemon/log';
import { signRequest } from '@sbox/daemon/signature';
import type { Transport, TransportAnswer, TransportRequest } from '@sbox/protocol';
import type { Dispatcher, Pool as PoolType } from 'undici';
import request from 'undici/lib/api/api-request.js';
import Pool from 'undici/lib/dispatcher/pool.js';
import type { ServerClock } from './server-clock.ts';

export interface Signer {
  readonly serverId: string;
  readonly key: KeyPair;
}

export interface HttpTransportOptions {
  /** Tried in turn, beginning with the one that answered last. */
  readonly urls: readonly string[];
  /** PEM; then the manager must show a certificate of this CA. The certificates of the system otherwise. */
  readonly ca: string | null;
  /** Undefined for calls that need no signature. */
  readonly signer?: Signer;
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

/** TLS options that pin the CA of a manager. */
export const pinnedTls = (ca: string | null): { ca?: string; servername?: string } =>
  ca === null ? {} : { ca, servername: managerName };

/**
 * Requests to a manager: each signed, logged without secrets, bounded in time and size. A wrong clock is mended once
 * with the time that the manager tells. @throws ProblemError `manager.unreachable`, `manager.untrusted`
 */
export function createHttpTransport(options: HttpTransportOptions): HttpTransport {
  const { urls, ca, clock, log, connectTimeoutMs, isUnverified = false } = options;
  const pools = new Map<string, PoolType>();
  let preferred = 0;
  const poolOf = (url: string): PoolType => {
    const known = pools.get(url);
    if (known) return known;
    const pool = new Pool(new URL(url).origin, {
      connections,
      bodyTimeout: bodyTimeoutMs,
      allowH2: false,
      connect: { timeout: connectTimeoutMs, ...pinnedTls(ca), ...(isUnverified ? { rejectUnauthorized: false } : {}) },
    });
    pools.set(url, pool);
    return pool;
  };

  const sendTo = async (url: string, wanted: TransportRequest): Promise<TransportAnswer> => {
    const startedMs = clock.monotonic();
    const fields = { method: wanted.method, path: wanted.path.split('?')[0], url };
    try {
      const answer = await exchange(poolOf(url), await signed(wanted, options));
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
    for (let turn = 0; turn < urls.length; turn += 1) {
      const place = (preferred + turn) % urls.length;
      try {
        const answer = await sendTo(urls[place] ?? '', wanted);
        preferred = place;
        return answer;
      } catch (error) {
        if (!(error instanceof ProblemError)) throw error;
        last = error;
      }
    }
    throw last;
  };

  return {
    get url() {
      return urls[preferred] ?? '';
    },
    send: async (wanted) => {
      const { serverClock } = options;
      const signedWithMs = serverClock.offsetMs;
      const answer = await sendToFirst(wanted);
      if (answer.status === 401) serverClock.learn(answer.body);
      // Another request may have learned it meanwhile; what counts is that this one was signed for another time.
      const isMended = answer.status === 401 && serverClock.offsetMs !== signedWithMs;
      return isMended ? await sendToFirst(wanted) : answer;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...pools.values()].map(async (pool) => await pool.destroy()));
    },
  };
}

async function signed(
  { method, path, headers, body, signal }: TransportRequest,
  { signer, clock, serverClock }: HttpTransportOptions,
): Promise<Dispatcher.RequestOptions> {
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
    signal: AbortSignal.any([AbortSignal.timeout(answerTimeoutMs), ...(signal ? [signal] : [])]),
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
