import { spawn } from 'node:child_process';
import { access } from 'node:fs/promises';
import path from 'node:path';
import { isoTime, printGeneration, ProblemError } from '@sbox/core';
import { createLineSink, createLogger } from '@sbox/daemon/log';
import { openReconciler } from '../agent.ts';
import { askEngine } from '../engines/find-engine.ts';
import { openStateLock } from '../identity/state-lock.ts';
import { afterLock, beforeLock, besideAgent, forRemoval, mend, planRescue, type RescueLine } from '../rescue/rescue.ts';
import type { RescueScene, Wishes } from '../rescue/step.ts';
import { createDisk } from '../state/disk.ts';
import { flag, text, type Call } from './command.ts';
import { openScene } from './scene.ts';

/** `sboxagent rescue`: a plan of what can be mended here without manager and agent; `--yes` does it. */
export async function rescueCommand(call: Call): Promise<number> {
  const wishes = await readWishes(call);
  const open = await createOpen(call, wishes);
  const phase = await askAgent(open());
  const isDoing = flag(call, 'yes') && !flag(call, 'dryRun');
  if (phase !== undefined) return await besideRunning(call, open, phase, isDoing);
  if (!isDoing) {
    const plan = await planRescue(open(), ...(wishes.removeRedirects ? [forRemoval] : []));
    print(call, { agent: null, plan }, nextOf(plan, call));
    return 0;
  }
  const done = wishes.removeRedirects ? await mend(open, forRemoval) : await mendLocked(call, open);
  print(call, { agent: null, done }, nextOf(done, call));
  return done.some(({ state }) => state === 'failed') ? 1 : 0;
}

async function readWishes(call: Call): Promise<Wishes> {
  const program = text(call, 'engine');
  const engine = program === undefined ? undefined : path.resolve(program);
  if (engine !== undefined && (await askEngine(spawn, engine)) === undefined) {
    throw new ProblemError('engine.not-found', `${engine} is no sing-box that runs on this machine`);
  }
  return {
    liftQuarantine: flag(call, 'liftQuarantine'),
    releaseHold: flag(call, 'releaseHold'),
    removeRedirects: flag(call, 'removeRedirects'),
    engine,
  };
}

async function createOpen(call: Call, wishes: Wishes): Promise<() => RescueScene> {
  const stamp = isoTime(call.host.clock.now()).slice(0, 19).replaceAll(':', '-');
  const make = await openScene(call);
  return () => ({ scene: make(), disk: createDisk(), wishes, stamp });
}

/**
 * The phase of an agent that answers; undefined where none runs.
 * @throws ProblemError `agent.running` when one holds the state and does not answer
 */
async function askAgent({ scene }: RescueScene): Promise<string | undefined> {
  try {
    return (await scene.agent.health()).phase;
  } catch (error) {
    const pid = await scene.agentPid();
    if (pid === undefined) return undefined;
    throw new ProblemError('agent.running', `process ${pid} holds ${scene.stateDir}, but does not answer`, {
      fix: `See its log, then end it (systemctl stop sboxagent, or: kill ${pid}); then: sboxagent rescue`,
      cause: error,
    });
  }
}

/** An agent that runs mends what it can by itself; only what it reads anew each time may be taken away beside it. */
async function besideRunning(call: Call, open: () => RescueScene, phase: string, isDoing: boolean): Promise<number> {
  const { wishes } = open();
  if (wishes.removeRedirects || wishes.engine !== undefined || flag(call, 'start')) {
    throw new ProblemError('agent.running', `the agent runs and answers (${phase})`, {
      fix: 'Stop it first: systemctl stop sboxagent; its engines go on.',
    });
  }
  const isWished = wishes.liftQuarantine || wishes.releaseHold;
  const lines = isWished ? await (isDoing ? mend(open, besideAgent) : planRescue(open(), besideAgent)) : [];
  const next = `the agent runs and answers (${phase}): ${isDoing && isWished ? 'the rest' : 'it'} was not touched; see: sboxagent doctor`;
  print(call, { agent: phase, [isDoing ? 'done' : 'plan']: lines }, next);
  return lines.some(({ state }) => state === 'failed') ? 1 : 0;
}

/** With the lock of the state directory, so that no agent comes up in the middle. */
async function mendLocked(call: Call, open: () => RescueScene): Promise<RescueLine[]> {
  const { scene, disk } = open();
  if (!(await isThere(scene.stateDir))) {
    if (open().wishes.engine === undefined) return [];
    await disk.makeDirectory(scene.stateDir);
  }
  // A disk without room, or one that nobody may write to, has no place for a lock either.
  const early = await mend(open, beforeLock);
  await using _ = await openStateLock({ stateDir: scene.stateDir, pid: call.host.pid });
  const lines = [...early, ...(await mend(open, afterLock))];
  return flag(call, 'start') ? [...lines, await start(call)] : lines;
}

const isThere = async (file: string): Promise<boolean> =>
  await access(file).then(
    () => true,
    () => false,
  );

/** Starts the last good version as the agent would, and leaves its engines running: the next agent adopts them. */
async function start(call: Call): Promise<RescueLine> {
  const { host } = call;
  const settings = await call.settings();
  await using reconciler = await openReconciler(
    { ...settings, engine: { ...settings.engine, stop_on_exit: false } },
    { ...host, log: createLogger(createLineSink(host.stderr, host.clock), 'error') },
  );
  await reconciler.boot();
  const { running, units } = reconciler.state;
  const up = units.filter(({ state }) => state === 'running' || state === 'watching');
  const what = `start the last good version${running === null ? '' : ` (${printGeneration(running)})`}`;
  if (units.length > 0 && up.length === units.length) return { repair: 'start', what, state: 'done' };
  const problem = units
    .map(({ name, state, message }) => `${name}: ${state}${message ? `: ${message}` : ''}`)
    .join('; ');
  return { repair: 'start', what, state: 'failed', problem: problem || 'there is none' };
}

function nextOf(lines: readonly RescueLine[], call: Call): string {
  if (lines.some(({ state }) => state === 'planned'))
    return 'nothing was changed yet; to do it: sboxagent rescue --yes';
  if (lines.some(({ state }) => state === 'failed')) return 'not everything could be done; see: sboxagent doctor';
  if (flag(call, 'removeRedirects')) return 'no redirect of this agent is left';
  const isStarted = flag(call, 'start');
  return `${lines.length === 0 ? 'nothing is broken that could be mended here; ' : ''}now start the agent${isStarted ? ', which adopts the engines' : ''}: systemctl start sboxagent, or sboxagent run`;
}

function print(call: Call, result: Readonly<Record<string, unknown>>, next: string): void {
  const { out } = call;
  const lines = (result['done'] ?? result['plan'] ?? []) as readonly RescueLine[];
  out.thing({ ...result, next }, () => {
    const rows = lines.map(({ state, repair, what, problem }) => [
      state,
      repair,
      problem === undefined ? what : `${what}: ${problem}`,
    ]);
    return [...(rows.length > 0 ? [out.table(['', 'WHERE', 'WHAT'], rows)] : []), `next: ${next}`].join('\n');
  });
}
