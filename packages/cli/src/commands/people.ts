import { ProblemError } from '@sbox/core';
import { roleNames } from '@sbox/protocol';
import { arg, flag, text, type Call } from '../command.ts';
import type { OperatorClient } from '../connection.ts';
import { boundsOf, boundsText } from './bounds-options.ts';
import { choosePassword } from './passwords.ts';
import { age, everyPage, withClient } from './remote.ts';
import { roleOf } from './role-option.ts';

type User = Awaited<ReturnType<OperatorClient['users']['get']>>;

const stateOf = ({ disabled_at, locked_until }: User): string => {
  if (disabled_at !== null) return 'disabled';
  return locked_until === null ? 'open' : `an address is locked until ${locked_until}`;
};

export const list = withClient(async (client, { out, host }) => {
  const items = await everyPage((query) => client.users.list({ query }));
  if (items.length === 0) out.talk('No users yet. Make one: sboxmgr user create NAME --role admin --generate');
  const now = host.clock.now();
  await out.rows(items, [
    { title: 'NAME', value: ({ name }) => name },
    { title: 'ROLE', value: ({ role }) => role },
    { title: 'BOUNDS', value: ({ bounds }) => boundsText(bounds) },
    { title: 'STATE', value: stateOf },
    { title: 'SESSIONS', value: ({ sessions }) => sessions },
    { title: 'LOGGED IN', value: ({ seen_at }) => (seen_at === null ? 'never' : `${age(seen_at, now)} ago`) },
    { title: 'WHO', value: ({ display_name }) => display_name },
  ]);
});

export const show = withClient(async (client, call) => {
  await call.out.thing(await client.users.get({ params: { id: arg(call, 0) } }));
});

export const create = withClient(async (client, call) => {
  const role = roleOf(call);
  if (role === undefined)
    throw new ProblemError('command.usage', 'a user needs a role', { fix: `--role ${roleNames.join('|')}` });
  const subject = text(call, 'subject');
  const chosen = subject === undefined ? await choosePassword(call) : undefined;
  const known = chosen ? { password: chosen.password } : { subject };
  const [display_name, bounds] = [text(call, 'displayName') ?? '', boundsOf(call) ?? null];
  const made = await client.users.create({ body: { name: arg(call, 0), role, ...known, display_name, bounds } });
  await tell(call, made, chosen?.isNew ? chosen.password : undefined);
});

export const edit = withClient(async (client, call) => {
  const params = { id: arg(call, 0) };
  if (flag(call, 'disable') && flag(call, 'enable'))
    throw new ProblemError('command.usage', 'both --disable and --enable');
  const [name, display_name, role] = [text(call, 'rename'), text(call, 'displayName'), roleOf(call)];
  const bounds = flag(call, 'unbounded') ? null : boundsOf(call);
  const disabled = flag(call, 'disable') || (flag(call, 'enable') ? false : undefined);
  const { revision } = await client.users.get({ params });
  const body = {
    ...(name === undefined ? {} : { name }),
    ...(display_name === undefined ? {} : { display_name }),
    ...(role === undefined ? {} : { role }),
    ...(bounds === undefined ? {} : { bounds }),
    ...(disabled === undefined ? {} : { disabled }),
  };
  await tell(call, await client.users.update({ params, headers: { 'if-match': `"${revision}"` }, body }));
});

export const password = withClient(async (client, call) => {
  const params = { id: arg(call, 0) };
  const chosen = await choosePassword(call);
  await client.users.setPassword({ params, body: { password: chosen.password } });
  await tell(call, await client.users.get({ params }), chosen.isNew ? chosen.password : undefined);
});

export const remove = withClient(async (client, call) => {
  const params = { id: arg(call, 0) };
  const { name, revision } = await client.users.get({ params });
  await client.users.remove({ params, headers: { 'if-match': `"${revision}"` } });
  call.out.talk(`${name} is removed`);
});

export const removeTotp = withClient(async (client, call) => {
  await client.users.removeTotp({ params: { id: arg(call, 0) } });
  call.out.talk(`${arg(call, 0)} logs in with the password alone`);
});

export const roles = withClient(async (client, { out }) => {
  const { items } = await client.roles.list();
  await out.rows(items, [
    { title: 'ROLE', value: ({ name }) => name },
    { title: 'WHAT', value: ({ description }) => description },
    { title: 'PERMISSIONS', value: ({ permissions }) => permissions.join(', ') },
  ]);
});

/** A password that was made here is shown once; programs find it beside the user. */
async function tell(call: Call, user: User, made?: string): Promise<void> {
  if (made !== undefined) call.out.talk('this is shown once:');
  await call.out.thing(made === undefined ? user : { ...user, password: made }, () =>
    made === undefined ? `${user.name}: ${user.role}, ${stateOf(user)}` : made,
  );
}
