import { parseDuration, ProblemError } from '@sbox/core';
import { weekDays, type FreezeWindow, type WeekDay } from '@sbox/protocol';
import { arg, text, type Call } from '../command.ts';
import type { OperatorClient } from '../connection.ts';
import { counted } from '../counted.ts';
import { everyPage, withClient } from './remote.ts';

type Environment = Awaited<ReturnType<OperatorClient['environments']['get']>>;
type Changes = NonNullable<Parameters<OperatorClient['environments']['update']>[0]['body']>;

const freezeOf = ({ frozen }: Environment): string | null =>
  frozen && `${frozen.until === null ? 'without end' : `until ${frozen.until}`}: ${frozen.reason}`;

export const list = withClient(async (client, { out }) => {
  const items = await everyPage((query) => client.environments.list({ query }));
  if (items.length === 0) out.talk('No environments yet. Make one: sboxmgr env create prod');
  await out.rows(items, [
    { title: 'ENVIRONMENT', value: ({ name }) => name },
    { title: 'SERVERS', value: ({ servers }) => servers },
    { title: 'COLOR', value: ({ color }) => color },
    { title: 'FROZEN', value: freezeOf },
    { title: 'WHAT', value: ({ description }) => description },
  ]);
});

export const show = withClient(async (client, call) => {
  const found = await client.environments.get({ params: { name: arg(call, 0) } });
  await call.out.thing(found, () => print(found));
});

export const create = withClient(async (client, call) => {
  const made = await client.environments.create({ body: { name: arg(call, 0), ...about(call) } });
  await call.out.thing(made, () => print(made));
});

export const edit = withClient(async (client, call) => {
  const made = await change(client, call, () => about(call));
  await call.out.thing(made, () => print(made));
});

export const freeze = withClient(async (client, call) => {
  const made = await change(client, call, ({ freezes }) => {
    const now = call.host.clock.now();
    // Those that are over say nothing any more.
    const kept = freezes.filter((window) => 'days' in window || Date.parse(window.to) > now);
    const window = windowOf(call, nameOf(call, kept));
    return { freezes: [...kept.filter(({ name }) => name !== window.name), window] as NonNullable<Changes['freezes']> };
  });
  await call.out.thing(made, () => print(made));
});

export const unfreeze = withClient(async (client, call) => {
  const made = await change(client, call, ({ name, freezes }) => {
    const [only, ...more] = freezes;
    const wanted = call.args[1] ?? (more.length === 0 ? only?.name : undefined);
    const names = freezes.map((window) => window.name);
    if (wanted === undefined || !names.includes(wanted))
      throw new ProblemError(
        'command.usage',
        `${name} has ${names.length === 0 ? 'no freeze windows' : names.join(', ')}`,
        {
          fix:
            names.length === 0
              ? `See it: sboxmgr env show ${name}`
              : `Name one: sboxmgr env unfreeze ${name} ${names[0]}`,
        },
      );
    return { freezes: freezes.filter((window) => window.name !== wanted) };
  });
  await call.out.thing(made, () => print(made));
});

export const remove = withClient(async (client, call) => {
  const { name, revision } = await client.environments.get({ params: { name: arg(call, 0) } });
  await client.environments.remove({ params: { name }, headers: { 'if-match': `"${revision}"` } });
  call.out.talk(`${name} was deleted`);
});

const change = async (
  client: OperatorClient,
  call: Call,
  body: (known: Environment) => Changes,
): Promise<Environment> => {
  const known = await client.environments.get({ params: { name: arg(call, 0) } });
  return await client.environments.update({
    params: { name: known.name },
    headers: { 'if-match': `"${known.revision}"` },
    body: body(known),
  });
};

function about(call: Call): { description?: string; color?: NonNullable<Changes['color']> } {
  const [description, color] = [text(call, 'description'), text(call, 'color')];
  return {
    ...(description === undefined ? {} : { description }),
    // The manager says which there are.
    ...(color === undefined ? {} : { color: color as NonNullable<Changes['color']> }),
  };
}

function nameOf(call: Call, windows: readonly { readonly name: string }[]): string {
  const wanted = text(call, 'window');
  if (wanted !== undefined) return wanted;
  const names = new Set(windows.map(({ name }) => name));
  let number = 1;
  while (names.has(`freeze-${number}`)) number += 1;
  return `freeze-${number}`;
}

const usage = (detail: string, fix: string): ProblemError => new ProblemError('command.usage', detail, { fix });

function windowOf(call: Call, name: string): FreezeWindow {
  const [reason, days, to] = [text(call, 'reason'), text(call, 'days'), text(call, 'to')];
  if (reason === undefined) throw usage('no reason was given', 'Say why: --reason TEXT');
  if (days !== undefined) {
    const from = text(call, 'from');
    if (from === undefined || to === undefined)
      throw usage('--days needs times of day', 'Give both: --from 18:00 --to 08:00');
    return { name, reason, days: daysOf(days), from, to, time_zone: text(call, 'timeZone') ?? 'UTC' };
  }
  const from = text(call, 'from') ?? new Date(call.host.clock.now()).toISOString();
  const duration = text(call, 'for');
  if (duration === undefined && to === undefined) throw usage('it has no end', 'Give one: --for 2h, or --to TIME');
  if (duration === undefined) return { name, reason, from: timeOf('--from', from), to: timeOf('--to', to ?? '') };
  const ms = parseDuration(duration);
  if (ms === undefined || ms <= 0) throw usage(`--for is "${duration}", not a duration`, 'Write it as 2h or 3d');
  const begins = timeOf('--from', from);
  return { name, reason, from: begins, to: new Date(Date.parse(begins) + ms).toISOString() };
}

function timeOf(option: string, typed: string): string {
  const ms = Date.parse(typed);
  // Without a zone it would be the time of this machine, and mean another moment on the next.
  if (Number.isNaN(ms) || !/(Z|[+-]\d\d:\d\d)$/.test(typed))
    throw usage(`${option} is "${typed}", not a moment`, 'Write it with its zone: 2026-12-20T18:00:00Z');
  return new Date(ms).toISOString();
}

function daysOf(typed: string): WeekDay[] {
  const days = typed.split(',').map((day) => day.trim().toLowerCase());
  const isDay = (day: string): day is WeekDay => (weekDays as readonly string[]).includes(day);
  if (!days.every(isDay)) throw usage(`--days is "${typed}"`, `Name some of ${weekDays.join(',')}`);
  return days;
}

function print(environment: Environment): string {
  const { name, description, color, servers, freezes } = environment;
  const windows = freezes.map((window) => {
    const when =
      'days' in window
        ? `${window.days.join(',')} ${window.from} to ${window.to} in ${window.time_zone}`
        : `${window.from} to ${window.to}`;
    return `freeze   ${window.name}: ${when}: ${window.reason}`;
  });
  return [
    `${name}${description === '' ? '' : `: ${description}`}`,
    `servers  ${counted(servers, 'server')}${color === 'none' ? '' : `, ${color}`}`,
    `frozen   ${freezeOf(environment) ?? 'no'}`,
    ...windows,
  ].join('\n');
}
