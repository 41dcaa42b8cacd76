import { styleText } from 'node:util';
import { tableText } from '@sbox/core';
import type { OperatorClient } from '../connection.ts';
import { age } from './remote.ts';
import { isInSync, orderKey, why, type Server } from './server-text.ts';

/** Everything that one picture shows, as it was asked for. */
export interface FleetView {
  readonly url: string;
  readonly status: Awaited<ReturnType<OperatorClient['system']['status']>>;
  readonly servers: readonly Server[];
  /** There are more servers than were asked for. */
  readonly isCut: boolean;
  readonly deployments: readonly Deployment[];
  readonly events: readonly FleetEvent[];
  readonly configNames: ReadonlyMap<string, string>;
}

export type Deployment = Awaited<ReturnType<OperatorClient['deployments']['list']>>['items'][number];
export type FleetEvent = Awaited<ReturnType<OperatorClient['events']['list']>>['items'][number];

export interface Screen {
  readonly columns: number;
  readonly rows: number;
  readonly hasColour: boolean;
  /** Sentences in the language of who looks; data stays. */
  readonly text?: (english: string) => string;
}

type Said = NonNullable<Screen['text']>;

/** Where somebody has to look comes first. */
const order = ['degraded', 'offline', 'progressing', 'new', 'healthy'];
const colours = { degraded: 'red', offline: 'red', progressing: 'yellow', new: 'cyan', healthy: 'green' } as const;
const eventsShown = 5;

/** The fleet on one screen: counts, deployments on their way, servers with the worst first, the newest events. */
export function drawFleet(view: FleetView, nowMs: number, { columns, rows, hasColour, text = String }: Screen): string {
  const head = [heading(view, nowMs, text), countsOf(view, text), ...running(view, text)];
  const events = view.events.slice(0, eventsShown).map((event) => printEvent(event, view));
  const foot = events.length === 0 ? [] : ['', ...events];
  const room = Math.max(1, rows - head.length - foot.length - 3);
  const lines = [...head, '', ...serverLines(view, nowMs, { room, text }), ...foot].map((line) =>
    line.slice(0, columns),
  );
  return lines
    .slice(0, rows)
    .map((line) => (hasColour ? paint(line) : line))
    .join('\n');
}

function heading({ url, status }: FleetView, nowMs: number, text: Said): string {
  const engine = status.engine === null ? text('no engine') : `sing-box ${status.engine.version}`;
  return `sbox ${status.version}  ${url}  ${text(`up ${age(status.started_at, nowMs)}`)}  ${engine}  ${clock(nowMs)}`;
}

const clock = (ms: number): string => new Date(ms).toTimeString().slice(0, 8);

function countsOf({ status }: FleetView, text: Said): string {
  const counts = order
    .filter((state) => (status.servers[state] ?? 0) > 0)
    .map((state) => `${status.servers[state]} ${state}`);
  const servers = counts.length === 0 ? text('none yet: sboxmgr server token') : counts.join('  ');
  return `servers  ${servers}    configs ${status.configs}    subscriptions ${status.subscriptions}`;
}

function running({ deployments, configNames }: FleetView, text: Said): string[] {
  return deployments
    .filter(({ state }) => state === 'running')
    .map(({ id, config_id, version, servers }) => {
      const done = servers.filter(({ state }) => state === 'committed').length;
      const name = configNames.get(config_id) ?? config_id;
      return `deploys  ${name}@${version}  ${text(`${done} of ${servers.length} committed`)}  (${id})`;
    });
}

function serverLines(
  view: FleetView,
  nowMs: number,
  { room, text }: { readonly room: number; readonly text: Said },
): string[] {
  const sorted = view.servers.toSorted(
    (a, b) => order.indexOf(a.state) - order.indexOf(b.state) || a.name.localeCompare(b.name),
  );
  const shown = sorted.length > room ? sorted.slice(0, room - 1) : sorted;
  const versions = new Map(
    view.servers.flatMap(({ id, desired }) =>
      desired?.config_id
        ? [
            [
              orderKey(id, desired),
              `${view.configNames.get(desired.config_id) ?? desired.config_id}@${desired.version}`,
            ],
          ]
        : [],
    ),
  );
  const cells = shown.map((server) => [
    server.name,
    server.state,
    (server.desired && versions.get(orderKey(server.id, server.desired))) ?? '-',
    isInSync(server) ?? '-',
    text(probeOf(server)),
    text(server.seen_at === null ? 'never' : `${age(server.seen_at, nowMs)} ago`),
    text(why(server, nowMs)),
  ]);
  const left = sorted.length - shown.length;
  const more = left > 0 || view.isCut ? [text(moreText(left, view.isCut))] : [];
  return [...tableText(['SERVER', 'STATE', 'WANTED', 'IN SYNC', 'PROBE', 'SEEN', 'WHY'], cells).split('\n'), ...more];
}

function moreText(left: number, isCut: boolean): string {
  if (!isCut) return `… ${left} more`;
  return left > 0 ? `… ${left} more that were not asked for` : '… there are more that were not asked for';
}

function probeOf({ status }: Server): string {
  const probe = status?.units.find((unit) => unit.probe !== null)?.probe;
  if (!probe) return '-';
  return probe.ok ? `${Math.round(probe.ms ?? 0)} ms` : 'fails';
}

function printEvent({ timestamp, type, data }: FleetEvent, { servers, configNames }: FleetView): string {
  const server = servers.find(({ id }) => id === data['server_id'])?.name;
  const config = configNames.get(String(data['config_id']));
  const words = [server, config, data['name'], data['detail']].filter((word) => typeof word === 'string');
  return [clock(Date.parse(timestamp)), type, ...new Set(words)].join('  ');
}

/** States in their colours; only where the word stands alone. */
const paint = (line: string): string =>
  line.replaceAll(/(?<=\s)(degraded|offline|progressing|new|healthy)(?=\s|$)/g, (word) =>
    styleText(colours[word as keyof typeof colours], word, { validateStream: false }),
  );
