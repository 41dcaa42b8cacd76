import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createCookieBrowser, logInThere, type CookieBrowser, type Page } from '../src/cookie-browser.ts';
import { startIdentityProvider, type IdentityProvider } from '../src/identity-provider.ts';
import { freePorts, openTestDirectory, startManagerProcess, type ManagerProcess } from '../src/index.ts';

// A manager and its identity provider, and what a person with a browser does with them.

export const password = 'quite a long password';
export const callbackPath = '/api/v1/session/oidc/callback';

export interface World extends AsyncDisposable {
  readonly directory: string;
  readonly provider: IdentityProvider;
  readonly manager: ManagerProcess;
}

/** A manager and its provider, each a process of its own. */
export async function openWorld(settings: Record<string, string> = {}): Promise<World> {
  await using opening = new AsyncDisposableStack();
  const directory = opening.use(openTestDirectory('oidc'));
  const [port = 0] = await freePorts(1);
  const provider = opening.use(await startIdentityProvider(`http://127.0.0.1:${port}`));
  const secretFile = path.join(directory.path, 'secret');
  await writeFile(secretFile, `${provider.clientSecret}\n`);
  const manager = opening.use(
    await startManagerProcess({
      dir: path.join(directory.path, 'manager'),
      port,
      settings: {
        OIDC_ISSUER: provider.issuer,
        OIDC_CLIENT_ID: provider.clientId,
        OIDC_CLIENT_SECRET_FILE: secretFile,
        OIDC_NAME: 'Example',
        OIDC_SCOPES: '[openid, profile, email, groups]',
        OIDC_ROLE_CLAIM: 'groups',
        OIDC_ROLES: '[{value: admins, role: admin}, {value: watchers, role: viewer}]',
        OIDC_AUTO_CREATE: 'true',
        LIMITS_ANONYMOUS: '100000',
        LIMITS_LOGIN: '100000',
        FETCH_TIMEOUT: '1s',
        ...settings,
      },
    }),
  );
  const opened = opening.move();
  return {
    directory: directory.path,
    provider,
    manager,
    [Symbol.asyncDispose]: async () => await opened.disposeAsync(),
  };
}

const isBackAt = (manager: ManagerProcess) => (url: URL) => url.origin === manager.url && url.pathname === callbackPath;

/** Up to the address that leads back to the manager, which is not asked for yet. */
export async function goThere(
  { manager }: World,
  browser: CookieBrowser,
  account: string,
  query = '',
): Promise<string> {
  const start = `${manager.url}/api/v1/session/oidc/start${query}`;
  const page = await logInThere(browser, start, account, isBackAt(manager));
  if (page.location === undefined) throw new Error(`the provider shows: ${page.text.slice(0, 400)}`);
  return page.location;
}

export async function logIn(world: World, account: string, browser = createCookieBrowser(), query = '') {
  return { browser, page: await browser.get(await goThere(world, browser, account, query)) };
}

/** What a page about a problem calls it. */
export const codeOn = ({ text }: Page): string =>
  /<p>([a-z]+\.[a-z-]+) ·/.exec(text)?.[1] ?? `no code in ${text.slice(0, 200)}`;

export async function whoami({ manager }: World, browser: CookieBrowser) {
  const { status, text } = await browser.get(`${manager.url}/api/v1/session`);
  return status === 200 ? (JSON.parse(text) as { name: string; kind: string; permissions: string[] }) : { status };
}

/** A request of a page of the manager itself. */
export async function ask({ manager }: World, browser: CookieBrowser, method: string, where: string, body?: unknown) {
  const jar = browser.cookies.get(new URL(manager.url).host) ?? new Map<string, string>();
  const answer = await fetch(`${manager.url}${where}`, {
    method,
    headers: {
      cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; '),
      origin: manager.url,
      'content-type': 'application/json',
      'if-match': '*',
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  for (const line of answer.headers.getSetCookie()) {
    const [pair = ''] = line.split(';');
    jar.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
  }
  const text = await answer.text();
  return { status: answer.status, json: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown> };
}

export const user = async ({ manager }: World, id: string) => await manager.client.users.get({ params: { id } });

export const anna = { preferred_username: 'Anna', name: 'Anna Example', groups: ['admins'] };
