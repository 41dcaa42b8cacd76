import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHash, randomBytes } from 'node:crypto';
import { ProblemError } from '@sbox/core';
import { createClient, singleSignOn } from '@sbox/protocol';
import { flag, stoppedDetail, type Call } from '../command.ts';
import { origin, type Connection } from '../connection.ts';

/** As long as the manager waits for the browser to come back. */
const waitMs = 600_000;

/**
 * A personal token for who logs in by the identity provider of the manager. The browser gives the code to this program
 * on loopback, or shows it where it runs on another machine; without the verifier, which stays here, it opens nothing.
 */
export async function loginByBrowser(call: Call, connection: Connection) {
  const { enabled, start } = await connection.client.session.oidc();
  if (!enabled || start === null) throw new ProblemError('oidc.off', `${origin(connection.url)} has no single sign-on`);
  const verifier = randomBytes(32).toString('base64url');
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const addressOf = (port?: number): string => {
    const query = new URLSearchParams({ challenge, ...(port === undefined ? {} : { port: String(port) }) });
    return `${origin(connection.url)}${start}?${query.toString()}`;
  };
  const code = flag(call, 'paste') ? await readCode(call, addressOf()) : await waitForCode(call, addressOf);
  return await createClient(singleSignOn, connection.transport).redeem({ body: { code, verifier } });
}

async function readCode({ host, out }: Call, address: string): Promise<string> {
  out.talk(
    `open this in a browser, and paste the code that it shows${host.isTerminal ? ', then Ctrl D' : ''}:\n${address}`,
  );
  return Buffer.from(await host.stdin())
    .toString('utf8')
    .trim();
}

const answer = { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store', connection: 'close' };

async function waitForCode({ host, out }: Call, addressOf: (port: number) => string): Promise<string> {
  const arrived = Promise.withResolvers<string>();
  const server = createServer((request, response) => {
    const code = URL.parse(request.url ?? '/', 'http://127.0.0.1')?.searchParams.get('code');
    if (request.method !== 'GET' || !code || !/^[\w-]{1,128}$/.test(code)) {
      response.writeHead(404, answer).end('There is nothing here.\n');
      return;
    }
    response.writeHead(200, answer).end('You are logged in at the command line. This page can be closed.\n');
    arrived.resolve(code);
  });
  const ended = new AbortController();
  try {
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
    const address = addressOf((server.address() as AddressInfo).port);
    out.talk(`open this in a browser on this machine (on another one: --paste):\n${address}`);
    const late = host.clock.sleep(waitMs, AbortSignal.any([host.signal, ended.signal])).then(
      () => {
        throw new ProblemError('command.failed', 'nobody logged in within ten minutes');
      },
      () => {
        throw new ProblemError('command.failed', stoppedDetail);
      },
    );
    return await Promise.race([arrived.promise, late]);
  } finally {
    ended.abort();
    server.close();
    server.closeIdleConnections();
  }
}
