import { arg, text, type Call } from './command.ts';
import { openLocalClient } from './local-client.ts';

/** `sboxagent logs [UNIT]` */
export async function logsCommand(call: Call): Promise<void> {
  const unit = arg(call, 0);
  const lines = text(call, 'lines');
  const client = await openLocalClient(call);
  const { items } = await client.logs({ query: { ...(unit ? { unit } : {}), ...(lines ? { lines } : {}) } });
  call.out.thing({ items }, () => items.map((item) => `${item.unit}  ${item.line}`).join('\n'));
}

/** `sboxagent events` */
export async function eventsCommand(call: Call): Promise<void> {
  const page = await (await openLocalClient(call)).events({ query: {} });
  const rows = page.items.map(({ timestamp, type, data }) => [timestamp, type, JSON.stringify(data)]);
  call.out.thing(page, () => call.out.table(['AT', 'EVENT', 'DETAIL'], rows));
}
