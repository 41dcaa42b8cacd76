import path from 'node:path';
import { ProblemError } from '@sbox/core';
import { readIfExists } from '@sbox/daemon/files';
import { createGuardedFetch } from '../../fetching/guarded-fetch.ts';
import { msOf, type ManagerSettings } from '../../settings.ts';
import { createIdentityProvider } from './identity-provider.ts';
import { createOidcLogin, type OidcLogin, type OidcLoginDeps } from './oidc-login.ts';

export interface OpenOidcDeps extends Omit<OidcLoginDeps, 'settings' | 'provider'> {
  readonly ownPorts: ReadonlySet<number>;
}

/** Somebody waits for each answer of the provider. */
const longestAnswerMs = 10_000;
const maxAnswerBytes = 1024 * 1024;

/**
 * Logging in by the identity provider of the settings, if there is one. The provider is asked when somebody comes: a
 * manager starts without it.
 * @throws ProblemError `file.not-found` for a secret that is not there
 */
export async function openOidc(
  { oidc: settings, fetch }: ManagerSettings,
  deps: OpenOidcDeps,
  stack: AsyncDisposableStack,
): Promise<OidcLogin | undefined> {
  if (!settings) return undefined;
  const secret = await readSecret(settings.client_secret_file);
  const timeoutMs = Math.min(msOf(fetch.timeout), longestAnswerMs);
  const guarded = stack.use(
    createGuardedFetch({ allow: fetch.allow, timeoutMs, maxBytes: maxAnswerBytes, ownPorts: deps.ownPorts }),
  );
  const provider = createIdentityProvider({ settings, secret, fetch: guarded.fetch, clock: deps.clock });
  return createOidcLogin({ ...deps, settings, provider });
}

async function readSecret(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const secret = (await readIfExists(path.resolve(file)))?.toString().trim();
  if (secret) return secret;
  throw new ProblemError('file.not-found', `oidc.client_secret_file: ${file} is not there, or empty`);
}
