import { messageOf, parseDuration, ProblemError } from '@sbox/core';
import { flag, text, type Call } from '../command.ts';
import { connect, type Connection } from '../connection.ts';
import { configNames } from './remote.ts';
import { drawFleet, type FleetView, type Screen } from './top-text.ts';

/** More than a screen shows; who has more servers narrows them down. */
const mostServers = 1000;
const alternate = { on: '\u001B[?1049h\u001B[?25l', off: '\u001B[?25h\u001B[?1049l' };
/** To the corner, and away with what stands below the last line. */
const home = '\u001B[H';
const clearLine = '\u001B[K';
const clearBelow = '\u001B[J';

/** The fleet, live, until it is stopped; where nobody watches (`--once`, a pipe) one picture. */
export async function top(call: Call): Promise<void> {
  const { host, out } = call;
  const everyMs = interval(call);
  await using connection = await connect(call);
  const first = await look(connection, call);
  if (out.format !== 'table') return await out.thing(first);
  if (flag(call, 'once') || !host.isTerminal) {
    out.raw(`${drawFleet(first, host.clock.now(), { ...endless, text: out.text })}\n`);
    return;
  }
  out.raw(alternate.on);
  try {
    for (let view = first, trouble = ''; !host.signal.aborted;) {
      out.raw(picture(view, trouble, call));
      await host.clock.sleep(everyMs, host.signal).catch(() => {});
      if (host.signal.aborted) break;
      // The last picture stays: it is what is known.
      [view, trouble] = await look(connection, call).then(
        (found) => [found, ''],
        (error: unknown) => [view, messageOf(error)],
      );
    }
  } finally {
    out.raw(alternate.off);
  }
}

const endless: Screen = { columns: 500, rows: mostServers + 100, hasColour: false };

function picture(view: FleetView, trouble: string, { host, out: { text: said } }: Call): string {
  const { columns, rows } = host.terminalSize?.() ?? { columns: 80, rows: 24 };
  const hasColour = (host.env['NO_COLOR'] ?? '') === '';
  const lines = drawFleet(view, host.clock.now(), {
    columns,
    rows: trouble === '' ? rows : rows - 1,
    hasColour,
    text: said,
  });
  const all = trouble === '' ? lines : `${lines}\n${said(`this is old: ${trouble}`)}`.replaceAll('\r', '');
  return home + all.replaceAll('\n', `${clearLine}\n`) + clearLine + clearBelow;
}

function interval(call: Call): number {
  const typed = text(call, 'interval') ?? '2s';
  const ms = parseDuration(typed) ?? 0;
  if (ms >= 500 && ms <= 3_600_000) return ms;
  throw new ProblemError('command.usage', `--interval is from 500ms to 1h, not ${typed}`, {
    fix: 'sboxmgr top --interval 5s',
  });
}

async function look({ client, url }: Connection, call: Call): Promise<FleetView> {
  const [selector, environment] = [text(call, 'selector'), text(call, 'environment')];
  const query = {
    limit: mostServers,
    ...(selector === undefined ? {} : { selector }),
    ...(environment === undefined ? {} : { environment }),
  };
  const nothing = { items: [] };
  const [status, servers, deployments, events, names] = await Promise.all([
    client.system.status(),
    client.servers.list({ query }),
    // Who may not see them sees the rest.
    client.deployments.list({ query: { limit: 10 } }).catch(() => nothing),
    client.events.list({ query: { limit: 10 } }).catch(() => nothing),
    configNames(client),
  ]);
  return {
    url,
    status,
    servers: servers.items,
    isCut: servers.next_cursor !== null,
    deployments: deployments.items,
    events: events.items,
    configNames: names,
  };
}
