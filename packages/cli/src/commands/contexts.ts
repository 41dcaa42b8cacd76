import path from 'node:path';
import { ProblemError } from '@sbox/core';
import { arg, flag, text, type Call } from '../command.ts';
import { origin } from '../connection.ts';
import {
  checkContextName,
  contextFile,
  findContext,
  readContexts,
  writeContexts,
  type Context,
} from '../context-file.ts';
import { chooseManager } from '../contexts.ts';
import { readLogin } from '../login-file.ts';

export const list = async ({ host, out }: Call): Promise<void> => {
  const { current, all } = await readContexts(host);
  if (all.size === 0) out.talk('No contexts yet. Add one: sboxmgr context add NAME URL');
  const rows = await Promise.all(
    [...all].map(async ([name, context]) => ({
      name,
      current: name === current,
      manager: context.manager,
      ca_file: context.ca_file ?? null,
      token: await tokenOf(context, host),
    })),
  );
  await out.rows(rows, [
    { title: 'NAME', value: ({ name }) => name },
    { title: 'CURRENT', value: (row) => (row.current ? '*' : '') },
    { title: 'MANAGER', value: ({ manager }) => manager },
    { title: 'TOKEN', value: ({ token }) => token },
  ]);
};

/** Where the token comes from; never the token. */
async function tokenOf({ manager, token_file }: Context, host: Call['host']): Promise<string> {
  if (token_file !== undefined) return token_file;
  const login = await readLogin(host, origin(manager));
  if (!login) return 'none';
  return Date.parse(login.expires_at) > host.clock.now() ? `login of ${login.name}` : `login of ${login.name}, ended`;
}

/** What a command that is typed here would talk to, and why; or one context. */
export const show = async (call: Call): Promise<void> => {
  const { host, out } = call;
  const name = call.args[0];
  const choice =
    name === undefined
      ? await chooseManager(call)
      : {
          ...contextNamed(name, findContext(await readContexts(host), name, 'the command')),
          label: `context "${name}"`,
        };
  const { url, label, context } = choice;
  const found = {
    name: choice.name ?? null,
    manager: url,
    named_by: label,
    ca_file: context?.ca_file ?? null,
    token: await tokenOf(context ?? { manager: url }, host),
  };
  await out.thing(found, () =>
    [
      `${found.manager}, ${label}`,
      `  token: ${found.token}`,
      ...(found.ca_file === null ? [] : [`  CA:    ${found.ca_file}`]),
    ].join('\n'),
  );
};

const contextNamed = (name: string, context: Context) => ({ name, context, url: context.manager });

export const use = async ({ host, out, args: [name = ''] }: Call): Promise<void> => {
  const contexts = await readContexts(host);
  const { manager } = findContext(contexts, name, 'the command');
  await writeContexts(host, { ...contexts, current: name });
  out.talk(`commands talk to ${manager} now, unless something else is named`);
};

export const add = async (call: Call): Promise<void> => {
  const { host } = call;
  const [name, manager] = [arg(call, 0), origin(arg(call, 1))];
  const files = { ca_file: text(call, 'caFile'), token_file: text(call, 'tokenFile') };
  const given = Object.entries(files).flatMap(([field, file]) =>
    file === undefined ? [] : [[field, path.resolve(host.cwd, file)] as const],
  );
  await addContext(call, name, { manager, ...Object.fromEntries(given) }, flag(call, 'use'));
};

/** Keeps a context; the first one, or with `isUsed`, is used from then on. @throws ProblemError `context.exists` */
export async function addContext({ host, out }: Call, name: string, context: Context, isUsed: boolean): Promise<void> {
  checkContextName(name);
  const { current, all } = await readContexts(host);
  if (all.has(name)) throw new ProblemError('context.exists', `${name} is ${all.get(name)?.manager ?? ''}`);
  const next = isUsed || all.size === 0 ? name : current;
  await writeContexts(host, { current: next, all: new Map([...all, [name, context]]) });
  out.talk(
    `${name} is ${context.manager}${next === name ? ', and is used from now on' : ''}; it is in ${contextFile(host)}`,
  );
}

export const remove = async ({ host, out, args: [name = ''] }: Call): Promise<void> => {
  const contexts = await readContexts(host);
  findContext(contexts, name, 'the command');
  const rest = new Map([...contexts.all].filter(([other]) => other !== name));
  await writeContexts(host, { current: contexts.current === name ? undefined : contexts.current, all: rest });
  out.talk(`${name} is forgotten${contexts.current === name ? '; no context is used now' : ''}`);
};
