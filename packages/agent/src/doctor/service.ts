import { access } from 'node:fs/promises';
import { isoTime, printDuration, ProblemError } from '@sbox/core';
import { readText } from '../supervisor/cgroup.ts';
import { failed, ok, warning, type Check, type Finding } from './check.ts';
import type { Scene } from './scene.ts';

/** Whether the agent runs and answers, since when the machine is up, and what systemd says of the service. */
export const agentCheck: Check = {
  name: 'agent',
  look: async (scene) => [await askAgent(scene), ...(await askSystemd(scene))],
};

async function askAgent(scene: Scene): Promise<Finding> {
  const pid = await scene.agentPid();
  try {
    const { phase, message } = await scene.agent.health();
    return ok(`runs${pid === undefined ? '' : ` (pid ${pid})`}: ${phase}${message ? `, ${message}` : ''}`);
  } catch (error) {
    const isMine = error instanceof ProblemError && error.fix.includes('as root');
    if (isMine) return warning(error.message, error.fix);
    if (pid !== undefined) {
      return failed(
        `process ${pid} holds the state, but does not answer`,
        `See its log; then: kill ${pid}, and start it again.`,
      );
    }
    // Where nothing ever ran, nothing is missing yet.
    const hasRun = (await scene.state()).journal.kind !== 'none';
    const engines = scene.engines().length;
    const detail = `does not run; ${engines === 0 ? 'nor does an engine' : 'its engines go on, but nobody watches them'}`;
    return (hasRun ? failed : warning)(
      detail,
      'Start it: systemctl start sboxagent, or sboxagent run; see why it ended: sboxagent rescue',
    );
  }
}

async function askSystemd({ run, clock }: Scene): Promise<Finding[]> {
  const upMs = Number.parseFloat(readText('/proc/uptime')) * 1000;
  const boot = Number.isNaN(upMs)
    ? ''
    : `the machine is up since ${isoTime(clock.now() - upMs)} (${printDuration(upMs)})`;
  const hasSystemd = await access('/run/systemd/system').then(
    () => true,
    () => false,
  );
  if (!hasSystemd) return [ok(`${boot}; no systemd runs here`, 'machine')];
  const shown = await run('systemctl', [
    'show',
    'sboxagent',
    '-p',
    'LoadState,ActiveState,NRestarts,Result,UnitFileState',
  ]).catch(() => undefined);
  const facts = new Map((shown?.stdout ?? '').split('\n').map((line) => line.split('=', 2) as [string, string]));
  if (facts.get('LoadState') !== 'loaded') return [ok(`${boot}; sboxagent is no service of systemd`, 'machine')];
  return [ok(boot, 'machine'), ...judgeService(facts)];
}

/** What `systemctl show` says of the unit. */
export function judgeService(facts: ReadonlyMap<string, string>): Finding[] {
  const [active, restarts, result] = ['ActiveState', 'NRestarts', 'Result'].map((name) => facts.get(name) ?? '');
  const state = `${active}, started again ${restarts || 0} times, last result ${result || 'none'}`;
  const isEnabled = facts.get('UnitFileState') !== 'disabled';
  if (active === 'failed')
    return [failed(state, 'See why: journalctl -u sboxagent -n 50; then: sboxagent rescue', 'service')];
  if (!isEnabled) return [warning(`${state}; not started at boot`, 'systemctl enable sboxagent', 'service')];
  return [
    Number(restarts) > 3 ? warning(state, 'See why: journalctl -u sboxagent -n 50', 'service') : ok(state, 'service'),
  ];
}
