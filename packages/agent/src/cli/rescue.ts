import { spawn } from 'node:child_process';
import { access } from 'node:fs/promises';
import path from 'node:path';
import { isoTime, printGeneration, ProblemError } from '@sbox/core';
import { createLineSink, createLogger } from '@sbox/daemon/log';
import { openReconciler } from '../agent.ts';
import { askEngine } from '../engines/find-engine.ts';
import { openStateLock } from '../identity/state-lock.ts';
import {
  afterLock,
  beforeLock,
  besideAgent,
  besideAgentAlways,
  forRemoval,
  mend,
  planRescue,
  type RescueLine,
} from '../rescue/rescue.ts';
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
    const found = await planRescue(open(), ...(wishes.removeRedirects ? [forRemoval] : []));
    const plan = flag(call, 'start') && !wishes.removeRedirects ? [...found, await planStart(open())] : found;
    print(call, { agent: null, plan }, nextOf(plan, call));
    return 0;
  }
  const done = wishes.removeRedirects ? await mend(open, forRemoval) : await mendLocked(call, open);
  print(call, { agent: null, done }, nextOf(done, call));
  return exitCodeOf(done);
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
  const repairs = [...besideAgentAlways, ...(isWished ? besideAgent : [])];
  const lines = await (isDoing ? mend(open, repairs) : planRescue(open(), repairs));
  const next = lines.some(({ state }) => state === 'planned')
    ? `nothing was changed yet; to do it: ${commandLine(call)}`
    : `the agent runs and answers (${phase}): ${isDoing && (isWished || lines.length > 0) ? 'the rest' : 'it'} was not touched; see: sboxagent doctor`;
  print(call, { agent: phase, [isDoing ? 'done' : 'plan']: lines }, isStuck(lines) ? makeRoom : next);
  return isDoing ? exitCodeOf(lines) : 0;
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

/** What `start` would do, without touching anything. */
async function planStart({ scene }: RescueScene): Promise<RescueLine> {
  const { versions } = await scene.state();
  const good = versions.find(({ isCommitted }) => isCommitted) ?? versions[0];
  if (good === undefined)
    return { repair: 'start', what: 'nothing to start: no version is known to be good', state: 'advice' };
  const running = scene.engines().length > 0 ? '; engines that run are left as they are' : '';
  const what = `start the last good version (${printGeneration(good.version)})${running}`;
  return { repair: 'start', what, state: 'planned' };
}

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
  if (units.length > 0 && up.length === units.length) {
    if (!reconciler.processes().every(({ adopted }) => adopted)) return { repair: 'start', what, state: 'done' };
    const words = `nothing to start: the last good version${running === null ? '' : ` (${printGeneration(running)})`} runs`;
    return { repair: 'start', what: words, state: 'advice' };
  }
  const problem = units
    .map(({ name, state, message }) => `${name}: ${state}${message ? `: ${message}` : ''}`)
    .join('; ');
  return { repair: 'start', what, state: 'failed', problem: problem || 'there is none' };
}

/** What was typed, so that it is done and not something else. */
function commandLine(call: Call): string {
  const given = (name: string, option: string): string[] => {
    const value = text(call, option);
    return value === undefined ? [] : [name, value];
  };
  const typed = [
    ...given('--config', 'config'),
    ...given('--state-dir', 'stateDir'),
    ...(flag(call, 'start') ? ['--start'] : []),
    ...given('--engine', 'engine'),
    ...(flag(call, 'releaseHold') ? ['--release-hold'] : []),
    ...(flag(call, 'liftQuarantine') ? ['--lift-quarantine'] : []),
    ...(flag(call, 'removeRedirects') ? ['--remove-redirects'] : []),
  ];
  return ['sboxagent rescue', ...typed, '--yes'].join(' ');
}

/** On a full disk where nothing of the agent can go nothing else can be mended for good. */
const isStuck = (lines: readonly RescueLine[]): boolean =>
  lines.some(({ repair, state }) => repair === 'room' && state === 'advice');
const makeRoom = 'make room as it says above, then: sboxagent doctor';

const exitCodeOf = (lines: readonly RescueLine[]): number =>
  isStuck(lines) || lines.some(({ state }) => state === 'failed') ? 1 : 0;

function nextOf(lines: readonly RescueLine[], call: Call): string {
  if (lines.some(({ state }) => state === 'planned')) return `nothing was changed yet; to do it: ${commandLine(call)}`;
  if (lines.some(({ state }) => state === 'failed')) return 'not everything could be done; see: sboxagent doctor';
  if (isStuck(lines)) return makeRoom;
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
