// The identity provider of tests: a certified one, in a process of its own, that can be told to misbehave.
import { createHmac, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import process from 'node:process';
import { Provider, type Configuration } from 'oidc-provider';
import type { AccountClaims, Misbehaviour, ProviderStart } from './identity-provider.ts';

const { clientId, clientSecret, redirectUris, logoutUris, port } = JSON.parse(process.argv[2] ?? '{}') as ProviderStart;

const newKey = () => generateKeyPairSync('rsa', { modulusLength: 2048 });
const keys = { own: newKey(), other: newKey() };
const jwk = { ...keys.own.privateKey.export({ format: 'jwk' }), kid: 'own', use: 'sig', alg: 'RS256' };

const accounts = new Map<string, AccountClaims>();
let misbehaviour: Misbehaviour = {};

const configuration: Configuration = {
  clients: [
    {
      client_id: clientId,
      client_secret: clientSecret,
      redirect_uris: redirectUris,
      post_logout_redirect_uris: logoutUris,
      require_auth_time: true,
    },
  ],
  claims: {
    openid: ['sub'],
    profile: ['name', 'preferred_username'],
    email: ['email', 'email_verified'],
    groups: ['groups'],
  },
  scopes: ['openid', 'profile', 'email', 'groups'],
  cookies: { keys: [randomBytes(16).toString('hex')] },
  jwks: { keys: [jwk] },
  pkce: { required: () => true },
  findAccount: (_, sub) => {
    const claims = accounts.get(sub);
    return claims && { accountId: sub, claims: () => ({ sub, ...claims }) };
  },
};

// Which port it is shows only once it listens, and its own name has to hold it: tests choose it.
const provider = new Provider(`http://127.0.0.1:${port}`, configuration);

provider.use(async (context, next) => {
  if (context.path === '/control') {
    const chunks: Buffer[] = [];
    for await (const chunk of context.req) chunks.push(chunk as Buffer);
    const told = JSON.parse(Buffer.concat(chunks).toString()) as {
      accounts?: Record<string, AccountClaims | null>;
      misbehaviour?: Misbehaviour;
    };
    for (const [sub, claims] of Object.entries(told.accounts ?? {}))
      if (claims === null) accounts.delete(sub);
      else accounts.set(sub, claims);
    if (told.misbehaviour) misbehaviour = told.misbehaviour;
    context.status = 204;
    return;
  }
  const { hangs, status, idToken } = misbehaviour;
  if (hangs === context.path) {
    await new Promise(() => {});
    return;
  }
  if (status !== undefined && status.path === context.path) {
    context.status = status.code;
    context.body = { error: 'server_error' };
    return;
  }
  await next();
  const body = context.body as { id_token?: string } | undefined;
  if (context.path !== '/token' || !idToken || body?.id_token === undefined) return;
  context.body = { ...body, id_token: forge(body.id_token, idToken) };
});

/** Another ID token, signed as it is told. */
function forge(token: string, { claims = {}, signedBy = 'own' }: NonNullable<Misbehaviour['idToken']>): string {
  const [head = '', payload = '', signature = ''] = token.split('.');
  const told = { ...(JSON.parse(Buffer.from(payload, 'base64url').toString()) as object), ...claims };
  const changed = encode(told);
  if (signedBy === 'nobody') return `${encode({ alg: 'none' })}.${changed}.`;
  if (signedBy === 'before') return `${head}.${changed}.${signature}`;
  if (signedBy === 'secret') {
    const text = `${encode({ alg: 'HS256' })}.${changed}`;
    return `${text}.${createHmac('sha256', clientSecret).update(text).digest('base64url')}`;
  }
  const key: KeyObject = keys[signedBy].privateKey;
  return `${head}.${changed}.${sign('sha256', Buffer.from(`${head}.${changed}`), key).toString('base64url')}`;
}

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

provider.listen(port, '127.0.0.1', () => process.stdout.write('{"ready":true}\n'));
