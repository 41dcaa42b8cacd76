import path from 'node:path';
import { isProblemCode, parseDuration, printDuration, printGeneration, ProblemError } from '@sbox/core';
import type { Client, localRoutes, RouteResult } from '@sbox/protocol';
import { printPlan } from './print-reload.ts';
import { arg, flag, text, type Call } from './command.ts';
import { readArchive } from './import.ts';
import { openLocalClient } from './local-client.ts';

type LocalClient = Client<typeof localRoutes>;
type Status = RouteResult<(typeof localRoutes)['status']>;
type Handed = RouteResult<(typeof localRoutes)['apply']>;

const [lookEveryMs, usualWaitMs] = [250, 60_000];

/** `sboxagent config apply FILE [--plan] [--confirm 120s] [--wait 60s]`: over the local API, under the rules of imports. */
export async function applyCommand(call: Call): Promise<void> {
  const file = path.resolve(arg(call, 0));
  const confirmMs = duration(call, 'confirm');
  const waitMs = duration(call, 'wait') ?? usualWaitMs;
  const body = await readArchive(file);
  const client = await openLocalClient(call);
  const name = path.basename(file);
  if (flag(call, 'plan')) {
    const plan = await client.plan({ query: { name }, body });
    call.out.thing(plan, () => printPlan(plan.items, call.out));
    return;
  }
  const before = await client.status();
  const query = { name, ...(confirmMs === undefined ? {} : { confirm_ms: confirmMs }) };
  const handed = await client.apply({ query, body });
  if (waitMs === 0) {
    call.out.thing(
      { ...handed, state: 'taken' },
      () => `${nameOf(handed)} is taken, and tried next; see: sboxagent status`,
    );
    return;
  }
  const { status, state } = await untilVerdict(call, client, { handed, before, waitMs });
  call.out.thing({ ...handed, state, confirm: status.confirm ?? null, units: reloadsOf(status) }, () =>
    [
      `${nameOf(handed)} is ${state}`,
      ...reloadsOf(status).map(({ message }) => message),
      ...confirmLines(status, call),
    ].join('\n'),
  );
}

/** `sboxagent config confirm` */
export async function confirmCommand(call: Call): Promise<void> {
  const confirmed = await (await openLocalClient(call)).confirm();
  call.out.thing(confirmed, () => `${printGeneration(confirmed)} stays`);
}

const nameOf = (handed: Handed): string =>
  handed.source === 'local' ? 'the config' : `generation ${printGeneration(handed)}`;

const confirmLines = ({ confirm }: Status, { host }: Call): string[] => {
  if (!confirm) return [];
  const left = printDuration(Math.max(0, Date.parse(confirm.until) - host.clock.now()));
  return [`it is taken back in ${left} unless it is confirmed: sboxagent config confirm`];
};

const reloadsOf = ({ units }: Status) => units.flatMap(({ reload }) => reload ?? []);

/** @throws ProblemError `command.usage` */
function duration(call: Call, name: string): number | undefined {
  const given = text(call, name);
  const ms = given === undefined ? undefined : parseDuration(given);
  if (given !== undefined && ms === undefined) {
    throw new ProblemError('command.usage', `--${name} ${given} is no duration: 30s, 2m`);
  }
  return ms;
}

interface Waiting {
  readonly handed: Handed;
  /** What the agent said before it was asked. */
  readonly before: Status;
  readonly waitMs: number;
}

type Verdict = 'committed' | 'serving';

/** @throws ProblemError with the code of the refusal; `command.timeout` when there is no verdict in time */
async function untilVerdict(
  call: Call,
  client: LocalClient,
  waiting: Waiting,
): Promise<{ status: Status; state: Verdict }> {
  const { clock, signal } = call.host;
  const endMs = clock.monotonic() + waiting.waitMs;
  for (;;) {
    const status = await client.status();
    const state = verdictOf(status, waiting);
    if (state === 'committed' || (state === 'serving' && status.confirm)) return { status, state };
    if (clock.monotonic() >= endMs) {
      if (state === 'serving') return { status, state };
      throw timedOut(status, waiting);
    }
    await clock.sleep(lookEveryMs, signal);
  }
}

/** @throws ProblemError when it was refused */
export function verdictOf(status: Status, { handed, before }: Pick<Waiting, 'handed' | 'before'>): Verdict | undefined {
  const { running, nack, phase } = status;
  const isNews = JSON.stringify(nack) !== JSON.stringify(before.nack);
  if (nack && isNews && isOf(nack, handed)) {
    const code = isProblemCode(nack.code) ? nack.code : 'apply.failed';
    const details = { stage: nack.stage, unit: nack.unit, retry_at: nack.retry_at };
    throw new ProblemError(code, nack.message, { headline: `the agent refused it (${nack.stage})`, details });
  }
  if (running === null || running.source !== handed.source || !isOf(running, handed)) return undefined;
  if (phase === 'committed') return 'committed';
  return phase === 'serving' ? 'serving' : undefined;
}

/** A plain config has no generation of its own, so that the content decides. */
function isOf(
  { epoch, generation, digest }: { epoch: number; generation: number; digest: string | null },
  handed: Handed,
): boolean {
  if (epoch !== handed.epoch || generation !== handed.generation) return false;
  return digest === null || handed.digests.includes(digest);
}

function timedOut({ phase, conditions }: Status, { waitMs }: Waiting): ProblemError {
  const frozen = conditions.find(({ type, status }) => type === 'Frozen' && status === 'true');
  const why = frozen ? `it is held: ${frozen.message}` : `the agent is ${phase}`;
  return new ProblemError('command.timeout', `no verdict after ${printDuration(waitMs)}; ${why}`, {
    fix: 'It goes on; see: sboxagent status',
  });
}
