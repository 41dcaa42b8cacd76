import type { Clock } from '@sbox/core';
import { plainText, singBox, type ListenPort } from '@sbox/engines/sing-box/run';
import { wordsOf } from '../engines/check-config.ts';
import type { Control, ControlAnswer, ControlApi } from '../engines/control-api.ts';
import type { EngineProcess } from './engine-process.ts';
import { whyEnded } from './exit.ts';
import type { LogFile } from './log-file.ts';
import { holderOf, portsNotHeld } from './ports.ts';
import type { Proc } from './proc.ts';

export type Readiness =
  | { readonly kind: 'ready' }
  /** It ended; `words` are its own. */
  | { readonly kind: 'exited'; readonly words: string }
  /** Another instance, the old one, still answers: the new configuration was not taken. */
  | { readonly kind: 'refused'; readonly words: string }
  | { readonly kind: 'late'; readonly words: string }
  /** Ready, but no request went through it; the old one serves on. */
  | { readonly kind: 'unproved'; readonly words: string };

export interface ReadyDeps {
  readonly proc: Proc;
  readonly clock: Clock;
  readonly control: ControlApi;
}

export interface Awaited {
  readonly process: EngineProcess;
  readonly control: Control;
  readonly listens: readonly ListenPort[];
  readonly timeoutMs: number;
  readonly log: LogFile;
  /** Size of the log before what is waited for began. */
  readonly logStart: number;
}

const [firstPauseMs, lastPauseMs] = [4, 50];

/** Waits until the instance with this secret answers and every port belongs to this very process. */
export async function untilReady({ proc, clock, control }: ReadyDeps, awaited: Awaited): Promise<Readiness> {
  const { process, listens, log, logStart, timeoutMs } = awaited;
  const deadline = clock.monotonic() + timeoutMs;
  const words = async (): Promise<string> => await engineWords(log, logStart);
  let answer: ControlAnswer = 'nobody';
  let missing: readonly ListenPort[] = [];
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(lastPauseMs, pauseMs * 1.5)) {
    if (!process.isAlive) return { kind: 'exited', words: whyEnded(await process.exited, await words()) };
    answer = await control.ask(awaited.control);
    if (answer === 'ours') {
      missing = portsNotHeld(proc, process.identity.pid, listens);
      if (missing.length === 0 && process.isAlive) return { kind: 'ready' };
    }
    if (clock.monotonic() >= deadline) break;
    await clock.sleep(pauseMs);
  }
  const said = await words();
  if (answer === 'other') return { kind: 'refused', words: said || 'it went on with its old configuration' };
  const ports = missing.map((port) => {
    const holder = holderOf(proc, port);
    return `${port.tag}:${port.listen_port}${holder === undefined ? '' : `, which ${holder} has`}`;
  });
  const why =
    answer === 'ours' ? `these ports are not its own: ${ports.join('; ')}` : 'its control API does not answer';
  return { kind: 'late', words: `not ready after ${timeoutMs} ms: ${why}${said === '' ? '' : `; ${said}`}` };
}

/**
 * The reason in what an engine wrote since then, secrets hidden; empty when it complained about nothing. `isFatalOnly`:
 * an ERROR may be from long ago, and no reason for an end that came from outside.
 */
export async function engineWords(log: LogFile, since: number, isFatalOnly = false): Promise<string> {
  const text = await log.readFrom(since);
  if (!(isFatalOnly ? /FATAL|panic/ : /FATAL|ERROR|panic/).test(plainText(text))) return '';
  const { message, path } = singBox.parseCheckOutput(text);
  return wordsOf(message, path);
}
