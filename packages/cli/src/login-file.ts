import path from 'node:path';
import { isRecord } from './local/document-file.ts';
import { readState, writeState } from './local/state-file.ts';
import type { Host } from './command.ts';

/** What a login left: a token of one person for one manager. */
export interface KeptLogin {
  readonly name: string;
  readonly token: string;
  readonly expires_at: string;
}

const maxLogins = 64;

/** Mode 0600; tokens stand under the address of their manager, so that no other one is sent them. */
export const loginFile = ({ env, cwd }: Pick<Host, 'env' | 'cwd'>): string => {
  const home = env['XDG_CONFIG_HOME'] || path.join(env['HOME'] ?? cwd, '.config');
  return path.join(home, 'sbox', 'logins.json');
};

export async function readLogin(host: Pick<Host, 'env' | 'cwd'>, origin: string): Promise<KeptLogin | undefined> {
  const found = (await readState(loginFile(host)))[origin];
  return isLogin(found) ? found : undefined;
}

/** Keeps a login, or forgets the one that there is; those that are over go with it. */
export async function keepLogin(host: Host, origin: string, login: KeptLogin | undefined): Promise<void> {
  const file = loginFile(host);
  const others = Object.entries(await readState(file)).filter(
    ([where, kept]) => where !== origin && isLogin(kept) && Date.parse(kept.expires_at) > host.clock.now(),
  );
  const all = [...others.slice(1 - maxLogins), ...(login ? [[origin, login] as const] : [])];
  await writeState(file, Object.fromEntries(all));
}

const isLogin = (value: unknown): value is KeptLogin =>
  isRecord(value) && ['name', 'token', 'expires_at'].every((field) => typeof value[field] === 'string');
