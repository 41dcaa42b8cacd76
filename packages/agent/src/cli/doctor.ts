import { runChecks, type Found } from '../doctor/check.ts';
import { checks } from '../doctor/checks.ts';
import type { Call } from './command.ts';
import type { Out } from './out.ts';
import { openScene } from './scene.ts';

/** `sboxagent doctor`: every check, then 1 when one of them failed. Works with the agent stopped, and changes nothing. */
export async function doctorCommand(call: Call): Promise<number> {
  const found = await runChecks(checks, (await openScene(call))());
  const isOk = found.every(({ verdict }) => verdict !== 'failed');
  call.out.thing({ ok: isOk, checks: found }, () => printFound(found, call.out));
  return isOk ? 0 : 1;
}

function printFound(found: readonly Found[], out: Out): string {
  const rows = found.flatMap(({ check, verdict, detail, about, fix }) => [
    [verdict, check, about === undefined ? detail : `${about}: ${detail}`],
    ...(fix === undefined ? [] : [['', '', `fix: ${fix}`]]),
  ]);
  return out.table(['', 'CHECK', 'DETAIL'], rows);
}
