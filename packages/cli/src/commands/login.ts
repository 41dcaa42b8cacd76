import path from 'node:path';
import { ProblemError } from '@sbox/core';
import { arg, flag, text, type Call } from '../command.ts';
import { connect, connectAnonymously, origin, type Connection } from '../connection.ts';
import { boundsText } from './bounds-options.ts';
import { checkContextName, readContexts } from '../context-file.ts';
import { keepLogin, loginFile, readLogin } from '../login-file.ts';
import { addContext } from './contexts.ts';
import { loginByBrowser } from './oidc-login.ts';
import { readPassword } from './passwords.ts';
import { withClient } from './remote.ts';

/** Exchanges the password, or a login by the identity provider, for a personal token, and keeps that for this manager. */
export const login = async (call: Call): Promise<void> => {
  const { host, out } = call;
  await using connection = await connectAnonymously(call);
  const alias = text(call, 'asContext');
  if (alias !== undefined) await refuseTaken(call, alias);
  const isByBrowser = flag(call, 'oidc') || flag(call, 'paste');
  const opened = isByBrowser ? await loginByBrowser(call, connection) : await loginByPassword(call, connection);
  const { token = '', expires_at, ...who } = opened;
  await keepLogin(host, origin(connection.url), { name: who.name, token, expires_at });
  out.talk(`logged in as ${who.name} until ${expires_at}; the token is in ${loginFile(host)}`);
  const ca = text(call, 'caFile') ?? host.env['SBOXMGR_CA_FILE'];
  const files = ca === undefined ? {} : { ca_file: path.resolve(host.cwd, ca) };
  if (alias !== undefined) await addContext(call, alias, { manager: origin(connection.url), ...files }, true);
  // A token that is named goes first, and would answer as somebody else.
  if (text(call, 'tokenFile') !== undefined || host.env['SBOXMGR_TOKEN_FILE'] !== undefined)
    out.talk('it is not used while --token-file or SBOXMGR_TOKEN_FILE names another');
};

async function loginByPassword(call: Call, { client }: Connection) {
  const name = text(call, 'name') ?? call.host.env['USER'];
  if (name === undefined) throw new ProblemError('command.usage', 'who logs in?', { fix: '--name NAME' });
  const [password, code] = [await readPassword(call), text(call, 'code')];
  const body = { name, password, ...(code === undefined ? {} : { code }), as: 'token' } as const;
  return await client.session.open({ body });
}

/** Before anybody is asked for a password. */
async function refuseTaken({ host }: Call, name: string): Promise<void> {
  checkContextName(name);
  const taken = (await readContexts(host)).all.get(name);
  if (taken)
    throw new ProblemError('context.exists', `${name} is ${taken.manager}`, { fix: `sboxmgr login --context ${name}` });
}

/** Forgets the login also where the manager does not know it any more. */
export const logout = async (call: Call): Promise<void> => {
  const { host, out } = call;
  await using connection = await connectAnonymously(call);
  const where = origin(connection.url);
  const kept = await readLogin(host, where);
  if (!kept) {
    out.talk(`nobody is logged in at ${where}`);
    return;
  }
  const headers = { authorization: `Bearer ${kept.token}` };
  const sent = { method: 'DELETE', path: '/api/v1/session', headers, body: undefined, signal: undefined };
  const { status } = await connection.transport(sent);
  if (status !== 204 && status !== 401)
    throw new ProblemError('remote.failed', `the manager answered ${status}: the login is still good`);
  await keepLogin(host, where, undefined);
  out.talk(`${kept.name} is logged out`);
};

export const whoami = withClient(async (client, { out }) => {
  const found = await client.session.get();
  await out.thing(found, () =>
    [
      `${found.name} (${found.user_id === null ? 'a token of nobody' : found.kind})`,
      ...(found.bounds === null ? [] : [`held to ${boundsText(found.bounds)}`]),
      ...found.permissions.map((name) => `  ${name}`),
    ].join('\n'),
  );
});

export const passwd = async (call: Call): Promise<void> => {
  const body = { current: await readPassword(call), password: await readPassword(call, 'newPasswordFile') };
  await using connection = await connect(call);
  await connection.client.session.setPassword({ body });
  await keepLogin(call.host, origin(connection.url), undefined);
  call.out.talk('the password is changed; log in again: sboxmgr login');
};

export const startTotp = withClient(async (client, call) => {
  const made = await client.session.startTotp({ body: { current: await readPassword(call) } });
  call.out.talk('give this to your authenticator, then: sboxmgr totp confirm CODE');
  await call.out.thing(made, () => made.uri);
});

export const confirmTotp = withClient(async (client, call) => {
  const made = await client.session.confirmTotp({ body: { code: arg(call, 0) } });
  call.out.talk('logging in needs a code from now on. These open once each, and are shown once:');
  await call.out.thing(made, () => made.recovery_codes.join('\n'));
});
