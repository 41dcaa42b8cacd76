import { existsSync } from 'node:fs';
import path from 'node:path';
import { ProblemError } from '@sbox/core';
import { roleNames } from '@sbox/protocol';
import { arg, flag, text, texts } from '../command.ts';
import { writeWhole } from '../write-file.ts';
import { boundsOf, boundsText } from './bounds-options.ts';
import { age, everyPage, withClient } from './remote.ts';
import { roleOf } from './role-option.ts';

export const list = withClient(async (client, { out, host }) => {
  const items = await everyPage((query) => client.tokens.list({ query }));
  const now = host.clock.now();
  await out.rows(items, [
    { title: 'ID', value: ({ id }) => id },
    { title: 'NAME', value: ({ name }) => name },
    { title: 'MAY', value: ({ role, permissions }) => role ?? permissions.join(', ') },
    { title: 'BOUNDS', value: ({ bounds }) => boundsText(bounds) },
    { title: 'OF', value: ({ user_id, user_name }) => user_name ?? user_id },
    { title: 'BY', value: ({ created_by, created_by_name }) => created_by_name ?? created_by },
    { title: 'AGE', value: ({ created_at }) => age(created_at, now) },
    { title: 'USED', value: ({ last_used_at }) => (last_used_at === null ? 'never' : `${age(last_used_at, now)} ago`) },
    { title: 'EXPIRES', value: ({ expires_at }) => expires_at },
  ]);
});

export const create = withClient(async (client, call) => {
  const [permissions, role, ttl] = [texts(call, 'permission'), roleOf(call), text(call, 'ttl')];
  if ((permissions.length === 0) === (role === undefined))
    throw new ProblemError('command.usage', 'a token needs a role or permissions, and not both', {
      fix: `--role ${roleNames.join('|')}   ·   or --permission status:read`,
    });
  const bounds = boundsOf(call);
  const file = text(call, 'file');
  const target = file === undefined ? undefined : path.resolve(call.host.cwd, file);
  // The secret of another token would be gone for good.
  if (target !== undefined && existsSync(target))
    throw new ProblemError('command.usage', `${file} is there already`, { fix: '--file ANOTHER-FILE' });
  const made = await client.tokens.create({
    body: {
      name: arg(call, 0),
      ...(role === undefined ? { permissions: [...permissions] } : { role }),
      ...(ttl === undefined ? {} : { ttl }),
      ...(bounds === undefined ? {} : { bounds }),
      personal: flag(call, 'personal'),
    },
  });
  if (target !== undefined) {
    await writeWhole(target, `${made.token}\n`);
    call.out.talk(`wrote ${file} (mode 0600): ${made.id}`);
    return;
  }
  call.out.talk('this is shown once:');
  await call.out.thing(made, () => made.token);
});

export const revoke = withClient(async (client, call) => {
  await client.tokens.remove({ params: { id: arg(call, 0) } });
  call.out.talk('the token is revoked');
});
