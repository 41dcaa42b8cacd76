import path from 'node:path';
import { printDuration, printGeneration, ProblemError } from '@sbox/core';
import { printNotes, statusNotes, type localRoutes, type RouteResult } from '@sbox/protocol';
import { readIdentity } from '../identity/identity.ts';
import type { Call } from './command.ts';
import { openLocalClient } from './local-client.ts';

type Status = RouteResult<(typeof localRoutes)['status']>;

/** `sboxagent status`; 6 when no agent runs, with what its files say. */
export async function statusCommand(call: Call): Promise<number> {
  try {
    const status = await (await openLocalClient(call)).status();
    call.out.thing(status, () => printStatus(status, call));
    return 0;
  } catch (error) {
    if (!(error instanceof ProblemError) || error.code !== 'agent.unreachable') throw error;
    const identity = await readIdentity(path.resolve((await call.settings()).state_dir));
    if (identity)
      call.out.talk(`joined: ${identity.name} (${identity.server_id}) at ${identity.manager_urls.join(', ')}`);
    throw error;
  }
}

function printStatus(status: Status, { out, host }: Call): string {
  const { manager, running, nack, units } = status;
  const ago = (time: string): string => printDuration(Math.max(0, host.clock.now() - Date.parse(time)));
  const away = manager ? describeManager(manager, ago) : describeNone(status);
  const rows = units.map((unit) => [
    unit.name,
    unit.state,
    String(unit.pid ?? '-'),
    unit.listens.map(({ address }) => address).join(' ') || '-',
    unit.probe ? (unit.probe.ok ? `ok ${Math.round(unit.probe.ms ?? 0)}ms` : `failed: ${unit.probe.detail}`) : '-',
    String(unit.restarts),
    unit.message,
  ]);
  return [
    `state    ${status.phase}`,
    `manager  ${away}`,
    `runs     ${running ? `${printGeneration(running)} from ${running.source}` : 'nothing'}`,
    ...(nack ? [`refused  ${printGeneration(nack)} at ${nack.stage}: ${nack.code}: ${nack.message}`] : []),
    ...printNotes(statusNotes(withoutManager(status), host.clock.now())),
    ...(rows.length > 0
      ? ['', out.table(['UNIT', 'STATE', 'PID', 'LISTENS', 'PROBE', 'RESTARTS', 'MESSAGE'], rows)]
      : []),
  ].join('\n');
}

function describeManager(manager: NonNullable<Status['manager']>, ago: (time: string) => string): string {
  const { url, reachable, refusal, since, tries, transport, via } = manager;
  const says = refusal ? `answers ${refusal.code} (${refusal.detail})` : 'does not answer';
  const how = reachable ? 'answers' : `${says} since ${ago(since)}, ${tries} ${tries === 1 ? 'try' : 'tries'}`;
  return `${url} ${how} (${transport}${via === 'direct' ? '' : ` through the ${via}`})`;
}

/** An agent that should have a manager says why it does not ask it. */
function describeNone({ conditions }: Status): string {
  const away = conditions.find(({ type }) => type === 'ManagerReachable');
  return away === undefined ? 'none: this server lives on imported configs' : `not asked: ${away.message}`;
}

/** Whether the manager answers has a line of its own. */
const withoutManager = (status: Status): Status => ({
  ...status,
  conditions: status.conditions.map((each) => (each.type === 'ManagerReachable' ? { ...each, status: 'true' } : each)),
});
