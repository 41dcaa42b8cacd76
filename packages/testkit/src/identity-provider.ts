// An identity provider for tests, and a browser that goes there.
import path from 'node:path';
import { freePorts } from './free-ports.ts';
import { startProcess, type RunningProcess } from './processes.ts';

/** What the provider says of somebody; the account's name is its `sub`. */
export interface AccountClaims {
  readonly preferred_username?: string;
  readonly name?: string;
  readonly email?: string;
  readonly email_verified?: boolean;
  readonly groups?: readonly string[];
}

export interface Misbehaviour {
  /** A path that never answers. */
  readonly hangs?: string;
  readonly status?: { readonly path: string; readonly code: number };
  readonly idToken?: {
    readonly claims?: Readonly<Record<string, unknown>>;
    /** `before`: with the signature of what it said before. `secret`: HS256 with the secret of the client. */
    readonly signedBy?: 'own' | 'other' | 'nobody' | 'before' | 'secret';
  };
}

export interface ProviderStart {
  readonly port: number;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly redirectUris: string[];
  readonly logoutUris: string[];
}

export interface IdentityProvider extends AsyncDisposable {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** null: that account is gone. */
  setAccounts(accounts: Readonly<Record<string, AccountClaims | null>>): Promise<void>;
  misbehave(how: Misbehaviour): Promise<void>;
  /** Stops it; nothing answers there any more. */
  stop(): Promise<void>;
}

/** Starts one for a manager at this address. */
export async function startIdentityProvider(managerUrl: string): Promise<IdentityProvider> {
  const [port = 0] = await freePorts(1);
  const [clientId, clientSecret] = ['sbox', 'a secret of the client: / + %'];
  const start: ProviderStart = {
    port,
    clientId,
    clientSecret,
    redirectUris: [`${managerUrl}/api/v1/session/oidc/callback`],
    logoutUris: [`${managerUrl}/`],
  };
  const running: RunningProcess = await startProcess({
    command: process.execPath,
    args: [
      '--disable-warning=ExperimentalWarning',
      path.join(import.meta.dirname, 'identity-provider-program.ts'),
      JSON.stringify(start),
    ],
    readyLine: /^\{"ready":true\}$/,
    readyTimeoutMs: 30_000,
  });
  const issuer = `http://127.0.0.1:${port}`;
  const control = async (told: object): Promise<void> => {
    const { status } = await fetch(`${issuer}/control`, { method: 'POST', body: JSON.stringify(told) });
    if (status !== 204) throw new Error(`the identity provider answered ${status}`);
  };
  return {
    issuer,
    clientId,
    clientSecret,
    setAccounts: async (accounts) => await control({ accounts }),
    misbehave: async (misbehaviour) => await control({ misbehaviour }),
    stop: async () => await running[Symbol.asyncDispose](),
    [Symbol.asyncDispose]: async () => await running[Symbol.asyncDispose](),
  };
}
