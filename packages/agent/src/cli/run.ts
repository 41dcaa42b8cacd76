import { createLineSink, createLogger } from '@sbox/daemon/log';
import { untilAborted } from '@sbox/daemon/lifecycle';
import { startAgent } from '../agent.ts';
import { flag, type Call } from './command.ts';

/** `sboxagent run`: until a signal. */
export async function runCommand(call: Call): Promise<void> {
  const { host } = call;
  host.keepHeapSmall?.();
  const settings = await call.settings();
  const log = createLogger(createLineSink(host.stderr, host.clock), settings.log.level);
  await using agent = await startAgent(settings, {
    log,
    pid: host.pid,
    uid: host.uid,
    environment: host.environment,
    programFile: host.programFile,
    nodeFile: host.nodeFile,
    kill: host.kill,
    clock: host.clock,
  });
  const { state } = agent.reconciler;
  const ready = {
    server_id: agent.identity?.server_id ?? null,
    phase: state.phase,
    running: state.running,
    socket: agent.socketFile,
    api: agent.apiAddress ?? null,
  };
  log.info('agent ready', ready);
  if (!agent.identity) {
    log.warn('not joined to a manager: runs imported files only', { fix: 'sboxagent join URL --token-file FILE' });
  }
  if (flag(call, 'readyJson')) host.stdout(`${JSON.stringify({ ready: true, pid: host.pid, ...ready })}\n`);
  await untilAborted(host.signal);
  const engines = settings.engine.stop_on_exit ? 'stop too' : 'go on; the next agent adopts them';
  log.info('agent stops', { engines });
}
