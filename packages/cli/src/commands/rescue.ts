import { parseDuration, ProblemError } from '@sbox/core';
import { arg, text, type Call } from '../command.ts';
import { choosePassword } from './passwords.ts';
import { settingsInput } from './serve.ts';

/** Loaded only here, as `serve` does: the manager is large. */
async function openRescue(call: Call) {
  const manager = await import('@sbox/manager/serve');
  return await manager.rescue(await settingsInput(call));
}

export const token = async (call: Call): Promise<void> => {
  const ttl = text(call, 'ttl') ?? '1h';
  const ttlMs = parseDuration(ttl);
  if (ttlMs === undefined || ttlMs === 0)
    throw new ProblemError('command.usage', `--ttl is "${ttl}", not a duration as 1h`);
  await using rescue = await openRescue(call);
  const made = await rescue.token(ttlMs);
  call.out.talk(`good until ${made.expires_at}, and shown once:`);
  await call.out.thing(made, () => made.token);
};

export const unlock = async (call: Call): Promise<void> => {
  await using rescue = await openRescue(call);
  const { name, role } = await rescue.unlock(arg(call, 0));
  call.out.talk(`${name} (${role}) may log in`);
};

export const password = async (call: Call): Promise<void> => {
  const chosen = await choosePassword(call);
  await using rescue = await openRescue(call);
  const { name, role } = await rescue.setPassword(arg(call, 0), chosen.password);
  call.out.talk(`${name} (${role}) may log in with the new password${chosen.isNew ? ', which is shown once:' : ''}`);
  if (chosen.isNew) await call.out.thing({ name, password: chosen.password }, () => chosen.password);
};
