import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { messageOf, printDuration, ProblemError, redactText } from '@sbox/core';
import {
  createClient,
  operatorContract,
  type Client,
  type OperatorContract,
  type Transport,
  type TransportAnswer,
} from '@sbox/protocol';
import { readLogin } from './login-file.ts';
import { stoppedDetail, text, type Call, type Host } from './command.ts';
import { chooseManager, type Choice } from './contexts.ts';
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
  /** What named it, for errors. */
  readonly label?: string | undefined;
}

const defaultUrl = 'http://127.0.0.1:4780';
/** Certificates of a manager's own CA carry this name beside its addresses, so that any address may be used. */
const managerName = 'manager.sbox.internal';
const tries = 3;

/** A client for the manager that the options, the environment, a context or the defaults name. */
export async function connect(call: Call): Promise<Connection> {
  const choice = await chooseManager(call);
  const [token, ca] = [await readToken(call, choice), await readCa(call, choice)];
  return await openConnection({ url: choice.url, token, ca, label: labelOf(choice) }, call.host);
}

/** Whether a manager was named, by an option, a variable, a file or a context, or there is a token for the one that nobody names. */
export async function knowsManager(call: Call): Promise<boolean> {
  const choice = await chooseManager(call);
  return !choice.isDefault || (await readToken(call, choice)) !== undefined;
}

/** The same without credentials, to get some. */
export async function connectAnonymously(call: Call): Promise<Connection> {
  const choice = await chooseManager(call);
  return await openConnection({ url: choice.url, ca: await readCa(call, choice), label: labelOf(choice) }, call.host);
}

/** Who typed an address knows where it came from. */
const labelOf = ({ label, takesVariables, context }: Choice): string | undefined =>
  context || !takesVariables ? label : undefined;

/** A context knows the CA of its manager; a variable is for managers without a context. */
async function readCa(call: Call, { context }: Choice): Promise<string | undefined> {
  const { env, cwd } = call.host;
  const file = text(call, 'caFile') ?? (context ? context.ca_file : env['SBOXMGR_CA_FILE']);
  return file === undefined ? undefined : await readText(path.resolve(cwd, file));
}

export async function openConnection(
  { url, token, ca, label }: ConnectionOptions,
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
        const answer = await send(request);
        return answer.status === 401 && label !== undefined ? labelled(answer, label) : answer;
      } catch (error) {
        if (host.signal.aborted) throw new ProblemError('command.failed', stoppedDetail, { cause: error });
        // Only a connection that never was may be tried again for a request that changes something.
        if (attempt === tries || !isRefused(error))
          throw unreachable(
            label === undefined ? url : `${url}, ${label}`,
            error,
            attempt,
            host.clock.monotonic() - startedMs,
          );
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

/** Says in a refusal which manager it was that did not know the token. */
function labelled(answer: TransportAnswer, label: string): TransportAnswer {
  try {
    const problem = JSON.parse(new TextDecoder().decode(answer.body)) as Record<string, unknown>;
    if (typeof problem['detail'] !== 'string') return answer;
    const body = JSON.stringify({ ...problem, detail: `${problem['detail']} (${label})` });
    return { ...answer, body: new TextEncoder().encode(body) };
  } catch {
    return answer;
  }
}

/** The token for this manager and for no other: one that was named for it, its context's, the login there, its first one. */
async function readToken(call: Call, choice: Choice): Promise<string | undefined> {
  const { env, cwd } = call.host;
  const { context, label, takesVariables } = choice;
  const named =
    text(call, 'tokenFile') ?? (takesVariables ? env['SBOXMGR_TOKEN_FILE'] : undefined) ?? context?.token_file;
  if (named !== undefined) return (await readText(path.resolve(cwd, named))).trim();
  const address = origin(choice.url);
  const login = await readLogin(call.host, address);
  if (login && Date.parse(login.expires_at) > call.host.clock.now()) return login.token;
  // Not quietly as somebody else: the file of the first token may lie at hand.
  if (login)
    throw new ProblemError('auth.session-ended', `the login of ${login.name} at ${label} ended at ${login.expires_at}`);
  if (!takesVariables && env['SBOXMGR_TOKEN_FILE'] !== undefined)
    throw new ProblemError('auth.missing', `SBOXMGR_TOKEN_FILE is not sent to ${label}: it may be another manager's`, {
      fix: `--token-file FILE   ·   or log in: sboxmgr login${choice.name === undefined ? '' : ` --context ${choice.name}`}`,
    });
  return context || !takesVariables || !isOnThisMachine(address) ? undefined : await readFirstToken(cwd);
}

/** What a manager on this machine wrote at its first start. */
async function readFirstToken(cwd: string): Promise<string | undefined> {
  for (const file of [path.join(cwd, '.sbox/manager/admin-token'), '/var/lib/sboxmgr/admin-token']) {
    const found = await readFile(file, 'utf8').catch(() => undefined);
    if (found !== undefined) return found.trim();
  }
  return undefined;
}

const isOnThisMachine = (address: string): boolean =>
  /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(address).hostname);
