import { ProblemError } from '@sbox/core';
import { arg, text } from '../command.ts';
import { everyPage, withClient } from './remote.ts';
import { scopeOf, shown, valuesOf } from './setting-scope.ts';

export const add = withClient(async (client, call) => {
  const [ttl, reason] = [text(call, 'for'), text(call, 'reason')];
  if (ttl === undefined || reason === undefined)
    throw new ProblemError('command.usage', 'an override needs its time and its reason', {
      fix: '--for 30m --reason "looking for a fault"',
    });
  const [[key, value] = ['', undefined]] = Object.entries(await valuesOf(client, [arg(call, 0)]));
  const made = await client.settings.createOverride({ body: { scope: scopeOf(call), key, value, ttl, reason } });
  await call.out.thing(
    made,
    () => `${made.id}: ${made.key} = ${shown(made.value)} for ${made.scope} until ${made.ends_at}`,
  );
});

export const list = withClient(async (client, { out }) => {
  const items = await everyPage((query) => client.settings.listOverrides({ query }));
  if (items.length === 0) out.talk('Nothing is overridden.');
  await out.rows(items, [
    { title: 'ID', value: ({ id }) => id },
    { title: 'SCOPE', value: ({ scope }) => scope },
    { title: 'KEY', value: ({ key }) => key },
    { title: 'VALUE', value: ({ value }) => shown(value) },
    { title: 'ENDS', value: ({ ends_at }) => ends_at },
    { title: 'AUTHOR', value: ({ author }) => author },
    { title: 'REASON', value: ({ reason }) => reason },
  ]);
});

export const end = withClient(async (client, call) => {
  await client.settings.endOverride({ params: { id: arg(call, 0) } });
  call.out.talk(`${arg(call, 0)} was ended`);
});
