import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, printDuration, ProblemError, redactText } from '@sbox/core';
import { createClient, operatorContract, type Client, type OperatorContract, type Transport } from '@sbox/protocol';
import { readLogin } from './login-file.ts';
import { stoppedDetail, text, type Call, type Host } from './command.ts';
import { readText } from './read-file.ts';

export type OperatorClient = Client<OperatorContract>;

export interface Connection extends AsyncDisposable {
  readonly url: string;
  readonly client: OperatorClient;
  readonly transport: Transport;
}

export interface ConnectionOptions {
  readonly url: string;
  readonly token?: string | undefined;
  /** PEM of the CA that the manager's certificate comes from. */
  readonly ca?: string | undefined;
}

const defaultUrl = 'http://127.0.0.1:4780';
/** Certificates of a manager's own CA carry this name beside its addresses, so that any address may be used. */
const managerName = 'manager.sbox.internal';
const tries = 3;

/** A client for the manager that the options, the environment or the defaults name. */
export async function connect(call: Call): Promise<Connection> {
  const { host } = call;
  const url = managerUrl(call);
  return await openConnection({ url, token: await readToken(call, origin(url)), ca: await readCa(call) }, host);
}

/** The same without credentials, to get some. */
export async function connectAnonymously(call: Call): Promise<Connection> {
  return await openConnection({ url: managerUrl(call), ca: await readCa(call) }, call.host);
}

const managerUrl = (call: Call): string => text(call, 'manager') ?? call.host.env['SBOXMGR_URL'] ?? defaultUrl;

async function readCa(call: Call): Promise<string | undefined> {
  const file = text(call, 'caFile') ?? call.host.env['SBOXMGR_CA_FILE'];
  return file === undefined ? undefined : await readText(file);
}

export async function openConnection(
  { url, token, ca }: ConnectionOptions,
  host: Pick<Host, 'clock' | 'signal'>,
): Promise<Connection> {
  const { Pool } = await import('./http-pool.ts');
  const pool = new Pool(origin(url), {
    connections: 4,
    headersTimeout: 60_000,
    bodyTimeout: 60_000,
    connect: { timeout: 5000, ...(ca === undefined ? {} : { ca, servername: managerName }) },
  });
  const send: Transport = async ({ method, path: target, headers, body, signal }) => {
    const answer = await pool.request({
      method,
      path: target,
      headers: { ...headers, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) },
      body: body ?? null,
      signal: signal ? AbortSignal.any([signal, host.signal]) : host.signal,
    });
    const plain = Object.entries(answer.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : value,
    ]);
    return {
      status: answer.statusCode,
      headers: Object.fromEntries(plain) as Record<string, string>,
      body: await answer.body.bytes(),
    };
  };
  const transport: Transport = async (request) => {
    const startedMs = host.clock.monotonic();
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await send(request);
      } catch (error) {
        if (host.signal.aborted) throw new ProblemError('command.failed', stoppedDetail, { cause: error });
        // Only a connection that never was may be tried again for a request that changes something.
        if (attempt === tries || !isRefused(error))
          throw unreachable(url, error, attempt, host.clock.monotonic() - startedMs);
        await host.clock.sleep(200 * attempt, host.signal);
      }
    }
  };
  return {
    url,
    transport,
    client: createClient(operatorContract, transport),
    [Symbol.asyncDispose]: async () => await pool.close(),
  };
}

/** The address of a manager as it stands in the file of logins. @throws ProblemError `command.usage` */
export function origin(url: string): string {
  // A variable that was meant to hold another address must not lead to the manager on this machine.
  if (url.trim() === '')
    throw new ProblemError('command.usage', 'the address of the manager is empty', {
      fix: `--manager ${defaultUrl}   ·   or set SBOXMGR_URL, or unset it`,
    });
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) {
    throw new ProblemError('command.usage', `${url} is no http or https address`, { fix: `--manager ${defaultUrl}` });
  }
  const { origin: address, pathname, search } = new URL(url);
  // The older program had a subscription in SBOXMGR_URL: its provider must not be sent our token.
  if (pathname !== '/' || search !== '')
    throw new ProblemError('command.usage', `${redactText(url)} is no address of a manager: those have no path`, {
      fix: `--manager ${defaultUrl}   ·   a subscription is read by: sboxmgr inspect URL`,
    });
  return address;
}

const codeOf = (error: unknown): string => (error as { code?: unknown }).code?.toString() ?? messageOf(error);
const isRefused = (error: unknown): boolean =>
  ['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'UND_ERR_CONNECT_TIMEOUT'].includes(codeOf(error));

const startFix =
  'sboxmgr serve   ·   another manager: --manager URL   ·   local commands still work: sboxmgr generate --help';
/** What to do about errors that are no sign of a manager being away. */
const fixes: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'its certificate is of its own CA: --ca-file DATA/certificates/ca.crt or SBOXMGR_CA_FILE, with DATA of the manager',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it speaks plain HTTP there: --manager http://…',
  UND_ERR_SOCKET: `it hung up; off loopback it speaks TLS: --manager https://…   ·   ${startFix}`,
};

function unreachable(url: string, error: unknown, attempts: number, elapsedMs: number): ProblemError {
  return new ProblemError(
    'manager.unreachable',
    `${attempts} ${attempts === 1 ? 'try' : 'tries'} in ${printDuration(elapsedMs)}`,
    {
      cause: error,
      fix: fixes[codeOf(error)] ?? startFix,
      headline: `cannot reach manager at ${url} (${codeOf(error)})`,
    },
  );
}

async function readToken(call: Call, managerOrigin: string): Promise<string | undefined> {
  const { env, cwd } = call.host;
  const named = text(call, 'tokenFile') ?? env['SBOXMGR_TOKEN_FILE'];
  if (named !== undefined) return (await readText(path.resolve(cwd, named))).trim();
  const login = await readLogin(call.host, managerOrigin);
  if (login && Date.parse(login.expires_at) > call.host.clock.now()) return login.token;
  // Not quietly as somebody else: the file of the first token may lie at hand.
  if (login) throw new ProblemError('auth.session-ended', `the login of ${login.name} ended at ${login.expires_at}`);
  for (const file of [path.join(cwd, '.sbox/manager/admin-token'), '/var/lib/sboxmgr/admin-token']) {
    const found = await readFile(file, 'utf8').catch(() => undefined);
    if (found !== undefined) return found.trim();
  }
  return undefined;
}
