import { isoTime } from '@sbox/core';
import { errorFields } from '@sbox/daemon/log';
import type { ApplyContext } from './context.ts';
import { judge, type Refusal } from './refusal.ts';
import { engineName } from './stage.ts';

/** Numbers such as ports and pids change from try to try. */
const comparable = (message: string): string => message.replaceAll(/\d+/g, '#');

/** Remembers what the bytes alone decided; true when they are never to be tried again. */
export async function strike(ctx: ApplyContext, { code, message, digest }: Refusal): Promise<boolean> {
  const verdict = judge(code, message);
  if (digest === null || (verdict !== 'final' && verdict !== 'strike')) return false;
  try {
    const engine = engineName(await ctx.engines.find());
    const before = await ctx.store.quarantine.find(digest, engine);
    const isRepeated = before?.code === code && comparable(before.message) === comparable(message);
    const isFinal = verdict === 'final' || isRepeated || before?.isFinal === true;
    await ctx.store.quarantine.put({ digest, engine, code, message, at: isoTime(ctx.clock.now()), isFinal });
    return isFinal;
  } catch (error) {
    ctx.log.error('The failure could not be written down', errorFields(error));
    return verdict === 'final';
  }
}
